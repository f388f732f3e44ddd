/**
 * The event loop, as whoever polls sees it within one of its turns. `@pcikit/transport-socket` provides it: see
 * `EVENT_LOOP`.
 */
export interface EventLoopView {
  /** The time when the clock was read last, in milliseconds as of `performance.now()`. */
  readonly nowMs: number
  readClock(): void
  /** Whether anything came from outside that waits for the loop, such as a message of a client. */
  readonly hasEvents: boolean
}

/** Where nothing can look at the event loop: there may always be something. */
export class BlindEventLoop implements EventLoopView {
  readonly hasEvents = true
  nowMs = 0

  /** Leaves a number behind for the garbage collector, on Node 20 and 22. */
  readClock (): void {
    this.nowMs = performance.now()
  }
}
