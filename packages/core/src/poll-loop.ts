import { BlindEventLoop } from './event-loop.js'
import type { EventLoopView, LoopTurn } from './event-loop.js'
import { loopUsers } from './loop-users.js'

/** How long a turn looks on after the last work, before the event loop has its turn if it has something to do. */
const SPIN_MS = 0.05
/** The longest turn: what waits for the loop without being seen waits no longer. */
const TURN_MAX_MS = 10
/** The first wait of those that become longer while nothing happens. */
const BACK_OFF_MIN_MS = 1
/** Scans between two looks for work that ended meanwhile. */
const SCANS_PER_POLL = 16
/**
 * Between two looks at the clock: so many polls, or fewer where scans had work, each of which counts for some polls. On
 * Node 20 and 22 a look takes as long as several scans, and leaves a number behind for the garbage collector.
 */
const POLLS_PER_CLOCK = 32
const POLLS_PER_WORK = 8

/** What is looked at. Nothing of it may throw. */
export interface PollTargets {
  /** A turn begins. */
  readonly begin?: () => void
  /** Looks once and does what there is to do. True where there was something. */
  readonly scan: () => boolean
  /**
   * Looks for work that ended meanwhile. True: what comes of it is taken when the turn has ended. With `mayWait` it may
   * wait for that, for some tens of microseconds: the scans before found nothing, and no other loop runs.
   */
  readonly poll: (mayWait: boolean) => boolean
  /**
   * Whether nothing is under way that may need the event loop to go on, if only for a microtask. A turn goes on then
   * for as long as nobody else needs the loop. Left out: each turn ends in time.
   */
  readonly isSettled?: () => boolean
  /** The turn is over, also where it was the last one. */
  readonly end?: () => void
}

/** How the loop divides the processor, in milliseconds. */
export interface PollTimes {
  /** How often at least the event loop has its turn if it has something to do, such as a message of the client. */
  readonly turnMs: number
  /** How long it goes on without work before it backs off. */
  readonly idleMs: number
  /** The longest wait when it has backed off. */
  readonly backOffMs: number
}

/**
 * Looks again and again at what nobody tells of, for a device that polls: spins for a bounded time after the last work,
 * gives the event loop (and with it the socket) its turn in time, and backs off to timers when idle.
 *
 * ```
 *   work ─► spin ─► spin while nobody needs the loop ─► timers of 1, 2, 4, 8 ms
 *    ▲_____________________│_______________________________│
 * ```
 */
export class PollLoop {
  readonly #targets: PollTargets
  readonly #times: PollTimes
  readonly #eventLoop: EventLoopView
  #isRunning = false
  #isInTurn = false
  /** While it runs. */
  #loopTurn: LoopTurn | undefined = undefined
  #isTurnDue = false
  #timer: NodeJS.Timeout | undefined = undefined
  #workedAtMs = 0
  #backOffMs = BACK_OFF_MIN_MS
  readonly #next = (): void => this.#turn()
  readonly #nextIfDue = (): void => {
    if (this.#isTurnDue) this.#turn()
  }

  constructor (targets: PollTargets, times: PollTimes, eventLoop: EventLoopView = new BlindEventLoop()) {
    this.#targets = targets
    this.#times = times
    this.#eventLoop = eventLoop
  }

  start (): void {
    if (!this.#isRunning) {
      loopUsers.pollLoops++
      this.#loopTurn = this.#eventLoop.createTurn(this.#nextIfDue)
    }
    this.#isRunning = true
    this.kick()
  }

  stop (): void {
    if (this.#isRunning) loopUsers.pollLoops--
    this.#isRunning = false
    this.#cancel()
    this.#loopTurn?.close()
    this.#loopTurn = undefined
  }

  /** Something happened: do not wait for the timer. */
  kick (): void {
    if (!this.#isRunning || this.#isInTurn) return
    this.#eventLoop.readClock()
    this.#workedAtMs = this.#eventLoop.nowMs
    this.#backOffMs = BACK_OFF_MIN_MS
    if (this.#isTurnDue) return
    this.#cancel()
    this.#request()
  }

  #turn (): void {
    const { begin, end, isSettled } = this.#targets
    this.#isTurnDue = false
    this.#timer = undefined
    this.#isInTurn = true
    begin?.()
    this.#spin(isSettled?.() ?? false)
    end?.()
    this.#isInTurn = false
    if (this.#isRunning) this.#goOn(this.#eventLoop.nowMs)
  }

  /** @param wasSettled at the begin. What is not by then may end in the turn, and then needs a microtask. */
  #spin (wasSettled: boolean): void {
    const { scan, poll } = this.#targets
    const eventLoop = this.#eventLoop
    const { turnMs } = this.#times
    const idleMs = Math.max(SPIN_MS, this.#times.idleMs)
    eventLoop.readClock()
    const startedAtMs = eventLoop.nowMs
    let endsAtMs = startedAtMs + turnMs
    // Whoever has been idle for long looks only once.
    let untilClock = 0
    // Work takes time. When it ended is known when the clock is looked at next.
    let hasWorked = false
    do {
      let isQuiet = true
      for (let count = 0; count < SCANS_PER_POLL && this.#isRunning; count++) {
        if (!scan()) continue
        hasWorked = true
        isQuiet = false
        untilClock -= POLLS_PER_WORK
      }
      if (this.#isRunning && poll(isQuiet && this.#isAlone)) {
        this.#workedAtMs = eventLoop.nowMs
        return
      }
      if (--untilClock < 0) {
        eventLoop.readClock()
        if (hasWorked) this.#workedAtMs = eventLoop.nowMs
        hasWorked = false
        untilClock = POLLS_PER_CLOCK
        const quietMs = eventLoop.nowMs - this.#workedAtMs
        if (eventLoop.nowMs >= endsAtMs || quietMs >= SPIN_MS) {
          const isLong = eventLoop.nowMs - startedAtMs >= TURN_MAX_MS
          if (!wasSettled || isLong || quietMs >= idleMs || this.#isWanted()) return
          endsAtMs = eventLoop.nowMs + turnMs
        }
      }
    } while (this.#isRunning)
  }

  /** Whether somebody needs the event loop. */
  #isWanted (): boolean {
    return !this.#isAlone || this.#targets.isSettled?.() !== true || this.#eventLoop.hasEvents
  }

  get #isAlone (): boolean {
    return loopUsers.pollLoops === 1 && !loopUsers.areTurnsDue
  }

  #goOn (nowMs: number): void {
    if (nowMs - this.#workedAtMs < this.#times.idleMs) {
      this.#backOffMs = BACK_OFF_MIN_MS
      this.#request()
      return
    }
    this.#timer = setTimeout(this.#next, this.#backOffMs)
    this.#timer.unref()
    this.#backOffMs = Math.min(this.#backOffMs * 2, this.#times.backOffMs)
  }

  #request (): void {
    this.#isTurnDue = true
    this.#loopTurn?.request()
  }

  #cancel (): void {
    if (this.#isTurnDue) this.#loopTurn?.cancel()
    this.#isTurnDue = false
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
