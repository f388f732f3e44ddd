import { TRY_MAX, TRY_MIN } from './interrupt-pace.js'
import type { InterruptPace } from './interrupt-pace.js'
import type { Clock } from './turn-loop.js'
import { WorkList } from './work-list.js'

/** A driver that consumed nothing for so long after an interrupt gets another one for what came meanwhile. */
const TOLD_MS = 5
/** How long what was published waits for more at least, and at most. */
const WAIT_MIN_MS = 0.02
const WAIT_MAX_MS = 1
/**
 * The same at most while work is under way: as long as the shortest time for which a driver of NVMe can ask. Work that
 * takes longer is not waited for.
 */
const EXPECTING_MS = 0.1
/** Gaps by which the driver may be late before it counts as having stopped. */
const GAPS_WAITED = 3
/** A longer one is a pause, and says nothing about the next. */
const GAP_MAX_MS = 2
const GAP_WEIGHT = 0.25

/** A queue in which a device publishes what its driver is to take. */
export interface ModeratedQueue {
  readonly pace: InterruptPace
  readonly isOpen: boolean
  /** What was published and not consumed, as far as is known. */
  readonly untaken: number
  /** Work of it is under way whose end will be published. */
  readonly isExpecting: boolean
}

/** What a driver asked for itself. It goes before what a device finds out. */
export interface AskedModeration {
  readonly isAsked: boolean
  /** More than so much is worth an interrupt … */
  readonly most: number
  /** … and it waits for so long at most, in milliseconds. */
  readonly timeMs: number
}

/** What moderation works with. */
export interface ModerationSurroundings<Queue extends ModeratedQueue> {
  readonly asked: AskedModeration
  /** Whether interrupts of the queue may wait. Those of others are sent at once. */
  isModerated(queue: Queue): boolean
  send(queue: Queue): void
  /** Finds out what the driver consumed without a word, and calls {@link InterruptModeration.consumed}. */
  lookAtHead(queue: Queue): void
  /** Something is held from now on. */
  onHold(): void
}

/** For drivers that cannot ask. */
export const NOTHING_ASKED: AskedModeration = Object.freeze({ isAsked: false, most: 0, timeMs: 0 })

/**
 * Spares a driver interrupts that tell it nothing. An interrupt costs it more than a command does, and one handler
 * takes all that is there. So while it is on its way to take some, it is not interrupted again; and when it is seen to
 * give out commands in bunches, it is interrupted when a bunch is done, or when it has paused.
 *
 * ```
 *               as many as it took last, or none for three gaps
 *   gathering ────────────────────────────────────────────────────► told
 *       ▲                                                             │
 *       └───────────────────── the head moved, and some are left ─────┘
 * ```
 *
 * A driver that has one command at a time took one last, so it does not wait. But one that is interrupted after each of
 * its commands may have more to give out. So now and then twice as many are waited for, ever more seldom where none
 * came.
 *
 * What took no time is gathered until the driver pauses. Work that is under way ends when it does: the driver is told
 * of what has ended within a tenth of a millisecond, and at once where the next end is not that near.
 */
export class InterruptModeration<Queue extends ModeratedQueue> {
  readonly #surroundings: ModerationSurroundings<Queue>
  readonly #held = new WorkList<Queue>()
  /** The time for what is being done. A number that is passed on may be one more for the garbage collector. */
  #nowMs = 0

  constructor (surroundings: ModerationSurroundings<Queue>) {
    this.#surroundings = surroundings
  }

  /** Whether there are interrupts to send that have to wait a moment. */
  get isHolding (): boolean {
    return this.#held.count > 0
  }

  /** Something was published, and the driver wants to be told. */
  notify (queue: Queue): void {
    if (!this.#surroundings.isModerated(queue)) {
      this.#surroundings.send(queue)
      return
    }
    const { pace } = queue
    this.#nowMs = performance.now()
    const gapMs = this.#nowMs - pace.publishedAtMs
    if (gapMs < GAP_MAX_MS) pace.gapMs += (gapMs - pace.gapMs) * GAP_WEIGHT
    pace.publishedAtMs = this.#nowMs
    this.#decide(queue)
  }

  /** The driver took `count` of what was published, and what is left may have to be told. */
  consumed (queue: Queue, count: number): void {
    if (!this.took(queue, count) || queue.untaken === 0) return
    // It came too late for these.
    this.#nowMs = performance.now()
    queue.pace.publishedAtMs = this.#nowMs
    this.#decide(queue)
  }

  /** The driver took `count` of what was published. True: that was its answer to an interrupt. */
  took ({ pace }: Queue, count: number): boolean {
    if (!pace.isTold) return false
    pace.isTold = false
    pace.wanted = Math.max(1, count)
    return true
  }

  /** Sends what has waited long enough. `clock` says what time it is. */
  look (clock: Clock): void {
    if (this.#held.count === 0) return
    let kept = 0
    for (let index = 0; index < this.#held.count; index++) {
      const queue = this.#held.at(index)
      if (queue.pace.isHeld) this.#surroundings.lookAtHead(queue)
      this.#nowMs = clock.nowMs
      if (this.#isStillHeld(queue)) this.#held.set(kept++, queue)
      else queue.pace.isHeld = false
    }
    this.#held.truncate(kept)
  }

  /** All queues are gone. */
  reset (): void {
    this.#held.release()
  }

  #isStillHeld (queue: Queue): boolean {
    if (!queue.isOpen || !queue.pace.isHeld || queue.untaken === 0) return false
    if (!this.#isDue(queue)) return true
    this.#send(queue)
    return false
  }

  #decide (queue: Queue): void {
    if (this.#isDue(queue)) {
      this.#send(queue)
    } else if (!queue.pace.isHeld) {
      queue.pace.isHeld = true
      queue.pace.heldAtMs = this.#nowMs
      if (!this.#isListed(queue)) this.#held.add(queue)
      this.#surroundings.onHold()
    }
  }

  #isListed (queue: Queue): boolean {
    for (let index = 0; index < this.#held.count; index++) if (this.#held.at(index) === queue) return true
    return false
  }

  #send (queue: Queue): void {
    const { pace } = queue
    this.#learn(queue)
    pace.isHeld = false
    pace.isTold = true
    pace.toldAtMs = this.#nowMs
    this.#surroundings.send(queue)
  }

  #learn (queue: Queue): void {
    const { pace } = queue
    if (!pace.isTrying) {
      pace.isTrying = --pace.untilTry <= 0
    } else if (!queue.isExpecting) {
      const hasMore = queue.untaken >= wantedNow(pace)
      pace.tryInterval = hasMore ? TRY_MIN : Math.min(pace.tryInterval * 2, TRY_MAX)
      pace.untilTry = pace.tryInterval
      pace.isTrying = false
    }
  }

  #isDue (queue: Queue): boolean {
    const { pace } = queue
    const nowMs = this.#nowMs
    const { asked } = this.#surroundings
    const heldMs = pace.isHeld ? nowMs - pace.heldAtMs : 0
    if (asked.isAsked) return queue.untaken > asked.most || heldMs >= asked.timeMs
    if (pace.isTold) return nowMs - pace.toldAtMs >= TOLD_MS
    if (queue.untaken >= wantedNow(pace)) return true
    if (queue.isExpecting) return pace.gapMs >= EXPECTING_MS || heldMs >= EXPECTING_MS
    const waitMs = Math.min(Math.max(pace.gapMs * GAPS_WAITED, WAIT_MIN_MS), WAIT_MAX_MS)
    return nowMs - pace.publishedAtMs >= waitMs
  }
}

function wantedNow ({ wanted, isTrying }: InterruptPace): number {
  return isTrying ? wanted * 2 : wanted
}
