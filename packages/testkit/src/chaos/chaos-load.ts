/** Tells a load when its commands may fail, since their memory is being taken away. */
export class ChaosConditions {
  #disturbances = 0
  #isCalm = true

  /** How often something was taken away so far. */
  get disturbances (): number {
    return this.#disturbances
  }

  /** Whether everything is there at the moment. What is submitted and completed in one calm must succeed. */
  get isCalm (): boolean {
    return this.#isCalm
  }

  /** Something is about to be taken away. */
  disturb (): void {
    this.#disturbances++
    this.#isCalm = false
  }

  /** Everything is back. */
  calm (): void {
    this.#isCalm = true
  }
}

/**
 * The traffic that a stress client makes while it takes a device's memory away, and the driver that brings the device
 * back after a reset. It knows what each command must come to.
 */
export interface ChaosLoad {
  /** Resets that only this kind of device has, by name. */
  readonly resets: readonly string[]
  /** Carries out one of {@link resets}. Resolves when the device has acknowledged it. */
  reset(name: string): Promise<void>
  /**
   * Brings the device from the state after any reset to work, and starts traffic. Memory is there and no command under
   * way. The conditions stay the same for the whole run.
   */
  start(conditions: ChaosConditions): Promise<void>
  /** Submits nothing new. What is under way goes on. */
  pause(): void
  /** Goes on after `pause`. */
  resume(): void
  /** The device was reset: what is under way will not complete any more, and must not. */
  abandon(reason: string): void
  /** Resolves when nothing is under way. Called after `pause`. */
  idle(): Promise<void>
  /** Work that must succeed, with everything that it moves verified. Called while paused, in a calm. */
  prove(): Promise<void>
  /** Throws if anything went wrong so far: wrong data, a failure in a calm, a command that ended twice or never. */
  check(): void
  /** Commands that ended so far, for reports. */
  readonly commandCount: number
}
