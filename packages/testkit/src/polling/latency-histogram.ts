/** Buckets of each power of two: a percentile is off by 3 % at most. */
const BUCKETS_PER_OCTAVE = 32
const OCTAVE_SHIFT = 5
/** Up to 2^31 nanoseconds, about two seconds. What takes longer counts as that. */
const NANOSECONDS_MAX = 2 ** 31 - 1
const BUCKET_COUNT = BUCKETS_PER_OCTAVE * 28

/**
 * How long something took, counted in buckets that grow with the time, so that adding costs a few nanoseconds and
 * nothing is allocated.
 */
export class LatencyHistogram {
  readonly #counts = new Float64Array(BUCKET_COUNT)
  #total = 0

  /** How many times were added. */
  get count (): number {
    return this.#total
  }

  /** Adds a time in milliseconds, as `performance.now()` has it. */
  add (milliseconds: number): void {
    const nanoseconds = Math.min(Math.max(0, Math.round(milliseconds * 1e6)), NANOSECONDS_MAX)
    this.#counts[bucketOf(nanoseconds)]! += 1
    this.#total++
  }

  /** Adds all times of another one. */
  merge (other: LatencyHistogram): void {
    for (let index = 0; index < BUCKET_COUNT; index++) this.#counts[index]! += other.#counts[index]!
    this.#total += other.#total
  }

  /** The time in microseconds that `share` (0 to 1) of all stayed below or at; NaN when nothing was added. */
  percentile (share: number): number {
    let missing = Math.max(1, Math.ceil(share * this.#total))
    for (let index = 0; index < BUCKET_COUNT; index++) {
      missing -= this.#counts[index]!
      if (missing <= 0) return middleOf(index) / 1000
    }
    return NaN
  }
}

/** Below 64 ns each nanosecond has a bucket of its own; above, the five bits after the first one choose it. */
function bucketOf (nanoseconds: number): number {
  const octave = Math.max(0, 31 - OCTAVE_SHIFT - Math.clz32(nanoseconds))
  return octave * BUCKETS_PER_OCTAVE + (nanoseconds >>> octave)
}

function middleOf (index: number): number {
  const octave = Math.max(0, Math.floor(index / BUCKETS_PER_OCTAVE) - 1)
  return (index - octave * BUCKETS_PER_OCTAVE + 0.5) * 2 ** octave - 0.5
}
