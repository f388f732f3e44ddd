import type { NativeEventLoop } from './binding.js'
import { closeDescriptor, watchDescriptor } from './descriptor.js'
import type { DescriptorWatch } from './descriptor.js'
import { createEventFd, readEventFd, signalEventFd, yieldProcessor } from './event-fd.js'
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
   * Whether anything waits for the loop: a message, a signal, an answer of another thread, a timer that is due or an
   * immediate. What is watched since this turn is not seen yet, microtasks are not seen at all, and within an immediate
   * the answer is always yes. Costs a system call.
   */
  get hasEvents (): boolean {
    return this.#native.hasEvents()
  }

  /** See {@link yieldProcessor}. */
  yieldProcessor (): void {
    yieldProcessor()
  }

  /** For whoever has turns again and again: calls `begin` in a turn of the loop, once for each request. */
  createTurn (begin: () => void): LoopTurn {
    return new LoopTurn(begin)
  }
}

/**
 * A turn of the event loop that can be asked for, through an event counter. An immediate leaves an object behind for
 * each; this leaves next to nothing. It does not keep the process running.
 */
export class LoopTurn {
  readonly #fd: number
  readonly #watch: DescriptorWatch
  #isOpen = true

  /** Use `EventLoop.createTurn`. */
  constructor (begin: () => void) {
    const fd = createEventFd()
    this.#fd = fd
    this.#watch = watchDescriptor(fd, () => {
      readEventFd(fd)
      begin()
    })
    this.#watch.unref()
  }

  /** Asks for one, soon. */
  request (): void {
    signalEventFd(this.#fd)
  }

  /** Takes the request back; `begin` may be called all the same. */
  cancel (): void {
    readEventFd(this.#fd)
  }

  /** No call of `begin` follows. */
  close (): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#watch.close()
    closeDescriptor(this.#fd)
  }
}
