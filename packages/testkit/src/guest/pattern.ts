/**
 * Fills `target` with bytes that tell where they belong: the same seed and position give the same byte, other seeds
 * and other positions almost always another.
 */
export function fillPattern (target: Uint8Array, seed: number): Uint8Array {
  let state = (seed * 0x9e37_79b9) >>> 0 || 1
  for (let at = 0; at < target.length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    target[at] = state >>> 24
  }
  return target
}

/** A new array of `byteLength` bytes of the pattern. */
export function pattern (byteLength: number, seed: number): Uint8Array {
  return fillPattern(new Uint8Array(byteLength), seed)
}

/** The position of the first byte that differs, or -1. Arrays of different lengths differ at the end of the shorter. */
export function firstDifference (left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length)
  for (let at = 0; at < shared; at++) if (left[at] !== right[at]) return at
  return left.length === right.length ? -1 : shared
}

/** A random number generator with a seed, so that a failure can be replayed. Numbers are in [0, 1). */
export function seededRandom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
