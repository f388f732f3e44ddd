import { BlindEventLoop } from './event-loop.js'
import type { EventLoopView } from './event-loop.js'
import { loopUsers } from './loop-users.js'
import { WorkList } from './work-list.js'

/** How long a turn goes on while there is something to look at, before the event loop has its turn … */
const SPIN_MS = 0.05
/** … and how many rounds it takes at most, whatever the clock says. */
const ROUNDS_MAX = 1024
/**
 * So many of them had a look without work between two looks at the clock. On Node 20 and 22 the clock takes as long as
 * a look, and leaves a number behind for the garbage collector.
 */
const LOOKS_PER_CLOCK = 64
/** Whoever has the core for so long when it is left to him is not about to sleep soon. */
const AWAY_MS = 1
/** For how long it is not left to anybody then. */
const KEEP_MS = 20

/** What has turns. Nothing of it may throw. */
export interface TurnTargets {
  /** Does what there is to do. True: there was something. What is left, or is to be looked at again, is scheduled. */
  readonly run: () => boolean
  /**
   * Looks for work that ended meanwhile. True: what comes of it runs when the turn has ended. With `mayWait` it may
   * wait for that, for some tens of microseconds: nobody else has anything to do.
   */
  readonly poll: (mayWait: boolean) => boolean
  /** Whether others are at work for it, as threads of a back end. */
  readonly isWaiting: () => boolean
}

/** What time it is, in milliseconds as of `performance.now()`. */
export interface Clock {
  readonly nowMs: number
}

/** For whoever has no turns. Each look at it leaves a number behind for the garbage collector, on Node 20 and 22. */
export const REAL_CLOCK: Clock = Object.freeze({
  get nowMs () {
    return performance.now()
  }
})

interface Turn {
  readonly targets: TurnTargets
  readonly eventLoop: EventLoopView
  isListed: boolean
  /** False: cancelled while it was listed. */
  isWanted: boolean
}

/**
 * Turns for a device that is told of its work, and looks on for a while after it. A turn of the event loop costs as
 * much as many looks, so whatever is scheduled again in its turn has more of them at once, for some microseconds. All
 * devices of the process have their turns together, so none of them waits while another one looks on.
 *
 * While it looks on, it leaves its core again and again to whoever waits for it, such as a processor of the guest that
 * was woken there. Beside a program that never sleeps it would have next to no time then, so it keeps the core for a
 * while after one did not come back soon, for as long as Linux lets it.
 *
 * Whoever waits for others has one look for each turn of the event loop. Linux takes a core from a program that makes
 * no system call at the next tick, which may be milliseconds away, and they may be in need of that core. Who alone has
 * turns, and had nothing to do in this one, may even sleep for a moment.
 *
 * ```
 *   schedule ─► turn of the event loop: run, run, run … ─► event loop ─► run, run …      until nothing is scheduled
 * ```
 */
export class TurnLoop implements Clock {
  readonly #turn: Turn

  constructor (targets: TurnTargets, eventLoop: EventLoopView = new BlindEventLoop()) {
    this.#turn = { targets, eventLoop, isListed: false, isWanted: false }
    turns.renew()
  }

  /** Has `run` called soon, and not from within this call. */
  schedule (): void {
    this.#turn.isWanted = true
    turns.add(this.#turn)
  }

  /**
   * What the clock said last: when the turn began, after work, or some rounds ago. For whoever looks at something in
   * each round, and at the time besides.
   */
  get nowMs (): number {
    return turns.nowMs
  }

  /** Takes {@link TurnLoop.schedule} back. */
  cancel (): void {
    this.#turn.isWanted = false
  }
}

/** The turns of all devices of a thread. */
class Turns {
  nowMs = 0
  #listed = new WorkList<Turn>()
  #spare = new WorkList<Turn>()
  #immediate: NodeJS.Immediate | undefined = undefined
  #isInTurn = false
  #endMs = 0
  /** Until then the core is not left to others. */
  #keepsUntilMs = 0
  /** Work was found to have ended: what comes of it is scheduled in a moment, and does not wait for the event loop. */
  #isAnswered = false
  #isWaiting = false
  #isMicrotaskDue = false
  /** Of whoever had a turn last. */
  #eventLoop: EventLoopView = new BlindEventLoop()
  /** Somebody is the only one who has turns, of these or of another kind. */
  #isAlone = false
  readonly #begin = (): void => {
    this.#immediate = undefined
    loopUsers.areTurnsDue = false
    this.nowMs = performance.now()
    this.#endMs = this.nowMs + SPIN_MS
    this.#spin()
  }
  readonly #goOn = (): void => {
    this.#isMicrotaskDue = false
    try {
      // Only once: whatever else was answered runs in microtasks as well, after this one.
      this.#round()
      this.nowMs = performance.now()
      if (this.nowMs >= this.#endMs) this.#isAnswered = false
    } finally {
      this.#leave()
    }
  }

  /** Forgets what was scheduled: fake timers of a test may have taken it along. One turn too many does no harm. */
  renew (): void {
    this.#immediate = undefined
    loopUsers.areTurnsDue = false
  }

  add (turn: Turn): void {
    if (!turn.isListed) {
      turn.isListed = true
      this.#listed.add(turn)
    }
    if (this.#isInTurn) return
    if (this.#isAnswered && !this.#isMicrotaskDue) {
      this.#isMicrotaskDue = true
      queueMicrotask(this.#goOn)
    }
    this.#beginSoon()
  }

  #beginSoon (): void {
    if (this.#immediate !== undefined) return
    this.#immediate = setImmediate(this.#begin)
    loopUsers.areTurnsDue = true
  }

  #spin (): void {
    this.#isAnswered = false
    let quiet = 0
    try {
      for (let rounds = 0; rounds < ROUNDS_MAX && this.#listed.count > 0; rounds++) {
        const looks = this.#listed.count
        const hasWorked = this.#round()
        quiet += looks
        if (this.#isAnswered || this.#isWaiting) break
        if (!hasWorked && quiet < LOOKS_PER_CLOCK) continue
        if (hasWorked) this.nowMs = performance.now()
        else this.#giveWay()
        if (this.nowMs >= this.#endMs) break
        quiet = 0
      }
    } finally {
      this.#leave()
    }
  }

  /** After looks without work: lets others have the core, and looks at the clock. */
  #giveWay (): void {
    const wasMs = this.nowMs
    if (wasMs >= this.#keepsUntilMs) this.#eventLoop.yieldProcessor()
    this.nowMs = performance.now()
    if (this.nowMs - wasMs >= AWAY_MS) this.#keepsUntilMs = this.nowMs + KEEP_MS
  }

  #leave (): void {
    if (this.#listed.count > 0) this.#beginSoon()
  }

  /** One turn for each. True: there was something to do. */
  #round (): boolean {
    const turns = this.#listed
    this.#listed = this.#spare
    this.#isInTurn = true
    this.#isWaiting = false
    this.#isAlone = turns.count === 1 && loopUsers.pollLoops === 0
    let hasWorked = false
    let index = 0
    try {
      while (index < turns.count) if (this.#visit(turns.at(index++))) hasWorked = true
    } finally {
      // Where one throws, which is a mistake, the others have their turn all the same.
      while (index < turns.count) this.#listed.add(turns.at(index++))
      turns.clear()
      this.#spare = turns
      this.#isInTurn = false
    }
    return hasWorked
  }

  #visit (turn: Turn): boolean {
    turn.isListed = false
    if (!turn.isWanted) return false
    turn.isWanted = false
    this.#eventLoop = turn.eventLoop
    const { run, poll, isWaiting } = turn.targets
    const hasWorked = run()
    if (poll(this.#isAlone && !hasWorked)) this.#isAnswered = true
    if (isWaiting()) this.#isWaiting = true
    return hasWorked
  }
}

const turns = new Turns()
