import type { NativeEventLoop } from './binding.js'
import { addon } from './load-addon.js'

/**
 * The event loop as a program sees it that spins within one of its turns, and goes on for as long as nobody needs the
 * loop. Nothing of it leaves anything behind for the garbage collector.
 */
export class EventLoop {
  readonly #native: NativeEventLoop
  readonly #time: Float64Array
  /** From the beginning of the system's clock to that of Node's. */
  readonly #beginMs: number

  constructor () {
    this.#native = new (addon().EventLoop)()
    this.#time = this.#native.time
    this.readClock()
    this.#beginMs = this.#time[0]! - performance.now()
  }

  /** The time when the clock was read last, in milliseconds as of `performance.now()`. */
  get nowMs (): number {
    return this.#time[0]! - this.#beginMs
  }

  readClock (): void {
    this.#native.readClock()
  }

  /**
   * Whether anything came from outside that waits for the loop: a message, a signal, an answer of another thread. What
   * is watched since this turn is not seen yet; timers, immediates and microtasks are not seen at all. Costs a system
   * call.
   */
  get hasEvents (): boolean {
    return this.#native.hasEvents()
  }
}
