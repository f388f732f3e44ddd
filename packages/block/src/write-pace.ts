/** One that begins sooner after the last one came together with it. */
const GAP_MS = 0.005

/** After so many in a row that came alone, the next one is expected to. */
const ALONE_MIN = 4

/** Whether writes come one at a time, each when the one before is answered. */
export class WritePace {
  #lastMs = 0
  #alone = 0

  /** A write begins. True: it is alone, as were those before it. */
  begin (): boolean {
    const nowMs = performance.now()
    this.#alone = nowMs - this.#lastMs < GAP_MS ? 0 : this.#alone + 1
    this.#lastMs = nowMs
    return this.#alone > ALONE_MIN
  }

  /** It has ended already. */
  ended (): void {
    this.#lastMs = performance.now()
  }
}
