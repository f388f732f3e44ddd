import { FaultPolicy } from './fault-policy.js'

/**
 * Gives memory that went away under a queue a time to return. Memory goes and comes back in the life of every guest:
 * the firmware cuts it up anew, an IOMMU is switched on. Only what stays away is an error; how long that is, the fault
 * policy says: for ever, for the grace time, or not at all.
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

  /** Something waits for memory. Does nothing when it is known already: the first to wait counts. */
  begin (): void {
    if (this.#timer !== undefined || this.#policy === FaultPolicy.DROP) return
    if (this.#policy === FaultPolicy.FATAL) {
      this.#onExpiry()
      return
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#onExpiry()
    }, this.#graceMs)
    this.#timer.unref()
  }

  /** Nothing waits for memory any more. */
  end (): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
