import type { DoorbellPage } from './doorbell-page.js'
import type { Doorbells } from './doorbells.js'
import { CompletionQueue } from './queues/completion-queue.js'
import type { QueueScheduler } from './queues/queue-scheduler.js'
import type { QueueSet } from './queues/queue-set.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/** How long a turn looks at the doorbells after the last work, before the event loop has its turn. */
const SPIN_MS = 0.05
/** The first wait of those that become longer while nothing happens. */
const BACK_OFF_MIN_MS = 1
/** Scans between two looks at the clock. */
const SCANS_PER_CLOCK = 16
/** Doorbells that each scan looks at besides the busy ones: all of them in turn. */
const SLICE_DOORBELLS = 8
/** A doorbell is busy for so many turns after it was rung. */
const BUSY_TURNS = 16

/** What the poller works with. */
export interface PollerParts {
  readonly queues: QueueSet
  readonly doorbells: Doorbells
  readonly scheduler: QueueScheduler
  /** Looks at the back ends. True: what they answered is taken when the turn has ended. */
  pollMedia(): boolean
}

/** How the poller divides the processor. */
export interface PollerTimes {
  /** How often at least the event loop has its turn, and with it the socket, in milliseconds. */
  readonly turnMs: number
  /** How long it goes on without work before it backs off. */
  readonly idleMs: number
  /** The longest wait when it has backed off. */
  readonly backOffMs: number
}

/**
 * Looks at mapped doorbells. Spins for a bounded time after the last work, gives the event loop (and with it the
 * socket) its turn in time, and backs off to timers when idle. What a scan costs does not grow with the number of
 * queues: it looks at the doorbells that were rung a moment ago, and at a few of the others.
 *
 * ```
 *   work ─► spin ─► turns of the loop, back to back ─► timers of 1, 2, 4, 8 ms
 *    ▲_______________________________________________________│
 * ```
 */
export class DoorbellPoller {
  readonly #page: DoorbellPage
  readonly #parts: PollerParts
  readonly #times: PollerTimes
  readonly #busy: (SubmissionQueue | CompletionQueue)[] = []
  /** The next one of all queues that a scan looks at. */
  #cursor = 0
  #turns = 0
  #isRunning = false
  #immediate: NodeJS.Immediate | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #workedAtMs = 0
  #backOffMs = BACK_OFF_MIN_MS
  readonly #next = (): void => this.#turn()

  constructor (page: DoorbellPage, parts: PollerParts, times: PollerTimes) {
    this.#page = page
    this.#parts = parts
    this.#times = times
  }

  start (): void {
    this.#isRunning = true
    this.kick()
  }

  stop (): void {
    this.#isRunning = false
    for (const queue of this.#busy.splice(0)) queue.doorbell.isBusy = false
    this.#cancel()
  }

  /** Something may have happened: do not wait for the timer. */
  kick (): void {
    if (!this.#isRunning) return
    this.#cancel()
    this.#workedAtMs = performance.now()
    this.#backOffMs = BACK_OFF_MIN_MS
    this.#immediate = setImmediate(this.#next)
  }

  #turn (): void {
    this.#immediate = undefined
    this.#timer = undefined
    this.#parts.scheduler.isDriven = true
    this.#turns++
    this.#ageBusy()
    const startedAtMs = performance.now()
    let nowMs = startedAtMs
    do {
      for (let scan = 0; scan < SCANS_PER_CLOCK && this.#isRunning; scan++) {
        this.#scan()
        if (this.#parts.scheduler.run() > 0) this.#workedAtMs = nowMs
      }
      nowMs = performance.now()
      if (this.#parts.pollMedia()) {
        this.#workedAtMs = nowMs
        break
      }
    } while (this.#isRunning && nowMs - this.#workedAtMs < SPIN_MS && nowMs - startedAtMs < this.#times.turnMs)
    this.#parts.scheduler.isDriven = false
    if (this.#isRunning) this.#goOn(nowMs)
  }

  #goOn (nowMs: number): void {
    if (nowMs - this.#workedAtMs < this.#times.idleMs) {
      this.#backOffMs = BACK_OFF_MIN_MS
      this.#immediate = setImmediate(this.#next)
      return
    }
    this.#timer = setTimeout(this.#next, this.#backOffMs)
    this.#timer.unref()
    this.#backOffMs = Math.min(this.#backOffMs * 2, this.#times.backOffMs)
  }

  #scan (): void {
    const busy = this.#busy
    for (let index = 0; index < busy.length; index++) this.#look(busy[index]!)
    const { all } = this.#parts.queues
    const count = Math.min(SLICE_DOORBELLS, all.length)
    for (let seen = 0; seen < count; seen++) {
      this.#cursor = this.#cursor + 1 < all.length ? this.#cursor + 1 : 0
      const queue = all[this.#cursor]!
      if (!queue.doorbell.isBusy) this.#look(queue)
    }
  }

  /** A doorbell counts when it changed, so that a value that makes no sense is told once. */
  #look (queue: SubmissionQueue | CompletionQueue): void {
    const value = this.#page.load(queue.doorbell.number)
    // One that was deleted stays in the list until the next turn.
    if (value === queue.doorbell.value || !queue.isOpen) return
    queue.doorbell.value = value
    queue.doorbell.rungInTurn = this.#turns
    if (!queue.doorbell.isBusy) {
      queue.doorbell.isBusy = true
      this.#busy.push(queue)
    }
    if (queue instanceof CompletionQueue) this.#parts.doorbells.ringHead(queue, value)
    else this.#parts.doorbells.ringTail(queue, value)
  }

  #ageBusy (): void {
    const busy = this.#busy
    let kept = 0
    for (let index = 0; index < busy.length; index++) {
      const queue = busy[index]!
      queue.doorbell.isBusy = queue.isOpen && this.#turns - queue.doorbell.rungInTurn < BUSY_TURNS
      if (queue.doorbell.isBusy) busy[kept++] = queue
    }
    busy.length = kept
  }

  #cancel (): void {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#immediate = undefined
    this.#timer = undefined
  }
}
