import type { DoorbellPage } from './doorbell-page.js'
import type { Doorbells } from './doorbells.js'
import type { QueueScheduler } from './queues/queue-scheduler.js'
import type { QueueSet } from './queues/queue-set.js'

/** How long a turn looks at the doorbells after the last work, before the event loop has its turn. */
const SPIN_MS = 0.05
/** How long a turn may take in all. */
const TURN_MS = 0.5
/** How long the loop goes on without work before it backs off. */
const IDLE_MS = 2
/** Waits while nothing happens: the first, and the longest. */
const BACK_OFF_MIN_MS = 1
const BACK_OFF_MAX_MS = 8
/** Scans between two looks at the clock. */
const SCANS_PER_CLOCK = 16

/**
 * Looks at mapped doorbells. Spins for a bounded time after the last work, gives the event loop (and with it the
 * socket) its turn at least every half millisecond, and backs off to timers when idle.
 *
 * ```
 *   work ─► spin ─► turns of the loop, back to back ─► timers of 1, 2, 4, 8 ms
 *    ▲_______________________________________________________│
 * ```
 */
export class DoorbellPoller {
  readonly #page: DoorbellPage
  readonly #queues: QueueSet
  readonly #doorbells: Doorbells
  readonly #scheduler: QueueScheduler
  #isRunning = false
  #immediate: NodeJS.Immediate | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #workedAtMs = 0
  #backOffMs = BACK_OFF_MIN_MS
  readonly #next = (): void => this.#turn()

  constructor (page: DoorbellPage, queues: QueueSet, doorbells: Doorbells, scheduler: QueueScheduler) {
    this.#page = page
    this.#queues = queues
    this.#doorbells = doorbells
    this.#scheduler = scheduler
  }

  start (): void {
    this.#isRunning = true
    this.kick()
  }

  stop (): void {
    this.#isRunning = false
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
    this.#scheduler.isDriven = true
    const startedAtMs = performance.now()
    let nowMs = startedAtMs
    do {
      for (let scan = 0; scan < SCANS_PER_CLOCK && this.#isRunning; scan++) {
        this.#scan()
        if (this.#scheduler.run() > 0) this.#workedAtMs = nowMs
      }
      nowMs = performance.now()
    } while (this.#isRunning && nowMs - this.#workedAtMs < SPIN_MS && nowMs - startedAtMs < TURN_MS)
    this.#scheduler.isDriven = false
    if (this.#isRunning) this.#goOn(nowMs)
  }

  #goOn (nowMs: number): void {
    if (nowMs - this.#workedAtMs < IDLE_MS) {
      this.#backOffMs = BACK_OFF_MIN_MS
      this.#immediate = setImmediate(this.#next)
      return
    }
    this.#timer = setTimeout(this.#next, this.#backOffMs)
    this.#timer.unref()
    this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MAX_MS)
  }

  /** A doorbell counts when it changed, so that a value that makes no sense is told once. */
  #scan (): void {
    const completionQueues = this.#queues.completionQueues
    for (let index = 0; index < completionQueues.length; index++) {
      const queue = completionQueues[index]!
      const value = this.#page.load(queue.id * 2 + 1)
      if (value === queue.doorbell) continue
      queue.doorbell = value
      this.#doorbells.ringHead(queue, value)
    }
    const submissionQueues = this.#queues.submissionQueues
    for (let index = 0; index < submissionQueues.length; index++) {
      const queue = submissionQueues[index]!
      const value = this.#page.load(queue.id * 2)
      if (value === queue.doorbell) continue
      queue.doorbell = value
      this.#doorbells.ringTail(queue, value)
    }
  }

  #cancel (): void {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#immediate = undefined
    this.#timer = undefined
  }
}
