/**
 * The event loop, as whoever polls sees it within one of its turns. `@pcikit/transport-socket` provides it: see
 * `EVENT_LOOP`.
 */
export interface EventLoopView {
  /** The time when the clock was read last, in milliseconds as of `performance.now()`. */
  readonly nowMs: number
  readClock(): void
  /** Whether anything waits for the loop, as a message of a client or a timer that is due. Microtasks are not seen. */
  readonly hasEvents: boolean
  /** Lets another program that waits for this core have it first. Costs a system call. */
  yieldProcessor(): void
  /** For whoever has turns again and again: calls `begin` in a turn of the loop, once for each request. */
  createTurn(begin: () => void): LoopTurn
}

/** A turn of the event loop that can be asked for. It does not keep the process running. */
export interface LoopTurn {
  /** Asks for one, soon. */
  request(): void
  /** Takes the request back; `begin` may be called all the same. */
  cancel(): void
  close(): void
}

/** Where nothing can look at the event loop: there may always be something. */
export class BlindEventLoop implements EventLoopView {
  readonly hasEvents = true
  nowMs = 0

  /** Leaves a number behind for the garbage collector, on Node 20 and 22. */
  readClock (): void {
    this.nowMs = performance.now()
  }

  yieldProcessor (): void {
    // Nothing here can.
  }

  /** Leaves an object behind for each request. */
  createTurn (begin: () => void): LoopTurn {
    let immediate: NodeJS.Immediate | undefined = undefined
    const cancel = (): void => clearImmediate(immediate)
    return {
      request () {
        immediate = setImmediate(begin)
      },
      cancel,
      close: cancel
    }
  }
}
