import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'

const BUSY_TURNS = 2000

/** Looks for what a device gave back, while something is under way of which no interrupt tells. */
export class PollLoop {
  readonly #hasWork: () => boolean
  readonly #look: () => Promise<number> | number
  #isRunning = false

  /** `look` returns how much it found, and must not throw. */
  constructor (hasWork: () => boolean, look: () => Promise<number> | number) {
    this.#hasWork = hasWork
    this.#look = look
  }

  /** Something was submitted. */
  start (): void {
    if (this.#isRunning || !this.#hasWork()) return
    this.#isRunning = true
    void this.#run()
  }

  async #run (): Promise<void> {
    let idleTurns = 0
    while (this.#hasWork()) {
      // A command may wait for ever. After a while without anything done the loop lets others run.
      await (idleTurns++ < BUSY_TURNS ? nextTurn() : delay(1, undefined, { ref: false }))
      if (await this.#look() > 0) idleTurns = 0
    }
    this.#isRunning = false
  }
}
