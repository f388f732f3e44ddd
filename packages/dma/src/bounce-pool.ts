/** The largest piece of a transfer by message. Longer ones have several. */
export const BOUNCE_BYTES_MAX = 2 ** 20
const BOUNCE_BYTES_MIN = 2 ** 12
/** How many bytes in buffers of one size are kept for the next commands. */
const IDLE_BYTES_MAX = 2 ** 23

/** Buffers that stand in for memory which the client does not share. Their sizes are powers of two. */
export class BouncePool {
  readonly #idle = new Map<number, Uint8Array[]>()
  readonly #bytesMax: number
  #bytesInUse = 0

  /** @param bytesMax the most bytes in use at a time */
  constructor (bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytesInUse (): number {
    return this.#bytesInUse
  }

  /** A buffer of zeroes with at least so many bytes. Undefined when too many are in use. */
  take (byteLength: number): Uint8Array | undefined {
    const size = Math.max(BOUNCE_BYTES_MIN, 1 << (32 - Math.clz32(byteLength - 1)))
    if (this.#bytesInUse + size > this.#bytesMax) return undefined
    this.#bytesInUse += size
    return this.#idle.get(size)?.pop()?.fill(0) ?? new Uint8Array(size)
  }

  /** Gives a buffer back. One that a late answer may still be written to is not used again. */
  giveBack (buffer: Uint8Array, isQuiet: boolean): void {
    const size = buffer.byteLength
    this.#bytesInUse -= size
    if (!isQuiet) return
    const idle = this.#idle.get(size) ?? []
    this.#idle.set(size, idle)
    if ((idle.length + 1) * size <= IDLE_BYTES_MAX) idle.push(buffer)
  }
}
