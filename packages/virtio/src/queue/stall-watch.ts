import { FaultPolicy } from '@pcikit/core'

/**
 * Gives the memory of queues a time to come back, when it went: for ever, for the grace time, or none, as the fault
 * policy says. The first queue to wait counts.
 */
export class StallWatch {
  readonly #policy: FaultPolicy
  readonly #graceMs: number
  readonly #onExpiry: () => void
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (policy: FaultPolicy, graceMs: number, onExpiry: () => void) {
    this.#policy = policy
    this.#graceMs = graceMs
    this.#onExpiry = onExpiry
  }

  /** Says whether something waits for memory now. */
  update (isWaiting: boolean): void {
    if (!isWaiting) this.end()
    else if (this.#policy === FaultPolicy.FATAL) this.#onExpiry()
    else if (this.#policy === FaultPolicy.FAULT && this.#timer === undefined) this.#start()
  }

  end (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #start (): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#onExpiry()
    }, this.#graceMs)
    this.#timer.unref()
  }
}
