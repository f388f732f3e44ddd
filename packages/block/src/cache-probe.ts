/** After this many misses in a row, the page cache is hardly asked any more. */
const MISSES_MAX = 8

/** How many reads then pass until it is asked again. */
const SKIPPED_READS = 32

/**
 * Whether it pays to ask the page cache first. A hit saves a trip to another thread, about 20 us; a miss costs about
 * 2 us on top of it. So it is asked while it answers, and now and then when it does not.
 */
export class CacheProbe {
  #misses = 0
  #skip = 0
  #isSupported = true

  get isSupported (): boolean {
    return this.#isSupported
  }

  /** Call once for each read that could ask. */
  shouldTry (): boolean {
    if (!this.#isSupported) return false
    if (this.#misses < MISSES_MAX) return true
    this.#skip += 1
    if (this.#skip < SKIPPED_READS) return false
    this.#skip = 0
    return true
  }

  hit (): void {
    this.#misses = 0
    this.#skip = 0
  }

  miss (): void {
    this.#misses += 1
  }

  /** The file system cannot tell: never try again. */
  unsupported (): void {
    this.#isSupported = false
  }
}
