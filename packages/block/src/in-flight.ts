/** Counts work that takes time, so that what it uses is not closed before it is over. */
export class InFlight {
  #count = 0
  readonly #waiting: (() => void)[] = []

  begin (): void {
    this.#count += 1
  }

  /** Once for each `begin`. */
  end (): void {
    this.#count -= 1
    if (this.#count === 0) { for (const resolve of this.#waiting.splice(0)) resolve() }
  }

  /** Counts `work` until it settles. */
  async track<T> (work: Promise<T>): Promise<T> {
    this.begin()
    try {
      return await work
    } finally {
      this.end()
    }
  }

  /** Resolves when nothing is in flight. */
  async idle (): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }
}
