import { WorkList } from '@pcikit/core'
import type { Features } from './features.js'
import type { InterruptGate } from './interrupt-gate.js'
import type { CompletionQueue } from './queues/completion-queue.js'
import { TRY_MAX, TRY_MIN } from './queues/interrupt-pace.js'
import type { InterruptPace } from './queues/interrupt-pace.js'

/** A host that consumed nothing for so long after an interrupt gets another one for what came meanwhile. */
const TOLD_MS = 5
/** How long completions wait for more at least, and at most. */
const WAIT_MIN_MS = 0.02
const WAIT_MAX_MS = 1
/** Gaps by which the host may be late before it counts as having stopped. */
const GAPS_WAITED = 3
/** A longer one is a pause, and says nothing about the next. */
const GAP_MAX_MS = 2
const GAP_WEIGHT = 0.25
/** Units of the Aggregation Time. [NVMe-Base] "Interrupt Coalescing". */
const AGGREGATION_UNIT_MS = 0.1

/** What moderation works with. */
export interface ModerationSurroundings {
  readonly gate: InterruptGate
  /** False: only what the host asks for. */
  readonly isAdaptive: boolean
  readonly features: Pick<Features, 'interruptCoalescing' | 'isCoalescingDisabled'>
  /** Takes what the host consumed without ringing. */
  lookAtHead(queue: CompletionQueue): void
  /** Something is held from now on. */
  onHold(): void
}

/**
 * Spares the host interrupts that tell it nothing. An interrupt costs it more than a command does, and one handler
 * takes all completions that are there. So while it is on its way to take some, it is not interrupted again; and when
 * it is seen to give out commands in bunches, it is interrupted when a bunch is done, or when it has paused.
 *
 * ```
 *               as many as it took last, or none for three gaps
 *   gathering ────────────────────────────────────────────────────► told
 *       ▲                                                             │
 *       └───────────────────── the head moved, and some are left ─────┘
 * ```
 *
 * A host that has one command at a time took one last, so it does not wait. But one that is interrupted after each of
 * its commands may have more to give out. So now and then twice as many are waited for, ever more seldom where none
 * came.
 *
 * Only completions of commands that take no time are gathered: while a back end works on others, the host is told at
 * once. What the host asks for by Interrupt Coalescing goes before all that. [NVMe-Base] "Interrupt Coalescing".
 */
export class InterruptModeration {
  readonly #surroundings: ModerationSurroundings
  readonly #held = new WorkList<CompletionQueue>()

  constructor (surroundings: ModerationSurroundings) {
    this.#surroundings = surroundings
  }

  /** Whether there are interrupts to send that have to wait a moment. */
  get isHolding (): boolean {
    return this.#held.count > 0
  }

  /** Completions were published. */
  notify (queue: CompletionQueue): void {
    if (!this.#isModerated(queue)) {
      this.#surroundings.gate.notify(queue)
      return
    }
    const { pace } = queue
    const nowMs = performance.now()
    const gapMs = nowMs - pace.publishedAtMs
    if (gapMs < GAP_MAX_MS) pace.gapMs += (gapMs - pace.gapMs) * GAP_WEIGHT
    pace.publishedAtMs = nowMs
    this.#decide(queue, nowMs)
  }

  /** The host moved the head of a queue by `count`. */
  consumed (queue: CompletionQueue, count: number): void {
    this.#surroundings.gate.consumed(queue)
    const { pace } = queue
    if (!pace.isTold) return
    pace.isTold = false
    pace.wanted = Math.max(1, count)
    if (queue.used === 0) return
    // It came too late for these.
    pace.publishedAtMs = performance.now()
    this.#decide(queue, pace.publishedAtMs)
  }

  /** Sends what has waited long enough. */
  look (): void {
    if (this.#held.count === 0) return
    const nowMs = performance.now()
    let kept = 0
    for (let index = 0; index < this.#held.count; index++) {
      const queue = this.#held.at(index)
      if (queue.pace.isHeld) this.#surroundings.lookAtHead(queue)
      if (this.#isStillHeld(queue, nowMs)) this.#held.set(kept++, queue)
      else queue.pace.isHeld = false
    }
    this.#held.truncate(kept)
  }

  /** All queues are gone. */
  reset (): void {
    this.#held.release()
    this.#surroundings.gate.reset()
  }

  #isStillHeld (queue: CompletionQueue, nowMs: number): boolean {
    if (!queue.isOpen || !queue.pace.isHeld || queue.used === 0) return false
    if (!this.#isDue(queue, nowMs)) return true
    this.#send(queue, nowMs)
    return false
  }

  #decide (queue: CompletionQueue, nowMs: number): void {
    if (this.#isDue(queue, nowMs)) {
      this.#send(queue, nowMs)
    } else if (!queue.pace.isHeld) {
      queue.pace.isHeld = true
      queue.pace.heldAtMs = nowMs
      if (!this.#isListed(queue)) this.#held.add(queue)
      this.#surroundings.onHold()
    }
  }

  #isListed (queue: CompletionQueue): boolean {
    for (let index = 0; index < this.#held.count; index++) if (this.#held.at(index) === queue) return true
    return false
  }

  #send (queue: CompletionQueue, nowMs: number): void {
    const { pace } = queue
    this.#learn(queue)
    pace.isHeld = false
    pace.isTold = true
    pace.toldAtMs = nowMs
    this.#surroundings.gate.notify(queue)
  }

  #learn (queue: CompletionQueue): void {
    const { pace } = queue
    if (!pace.isTrying) {
      pace.isTrying = --pace.untilTry <= 0
    } else if (!queue.isExpecting) {
      const hasMore = queue.used >= wantedNow(pace)
      pace.tryInterval = hasMore ? TRY_MIN : Math.min(pace.tryInterval * 2, TRY_MAX)
      pace.untilTry = pace.tryInterval
      pace.isTrying = false
    }
  }

  #isDue (queue: CompletionQueue, nowMs: number): boolean {
    const { pace } = queue
    const asked = this.#surroundings.features.interruptCoalescing
    if (asked !== 0) {
      const timeMs = (asked >>> 8) * AGGREGATION_UNIT_MS
      // [NVMe-Base] "Interrupt Coalescing": the time that an interrupt may be delayed, however many follow.
      const waitedMs = pace.isHeld ? nowMs - pace.heldAtMs : 0
      return queue.used > (asked & 0xff) || waitedMs >= timeMs
    }
    if (pace.isTold) return nowMs - pace.toldAtMs >= TOLD_MS
    if (queue.used >= wantedNow(pace) || queue.isExpecting) return true
    const waitMs = Math.min(Math.max(pace.gapMs * GAPS_WAITED, WAIT_MIN_MS), WAIT_MAX_MS)
    return nowMs - pace.publishedAtMs >= waitMs
  }

  /** Interrupt Coalescing is for I/O queues. The pin has a level, and nothing to be sent. */
  #isModerated (queue: CompletionQueue): boolean {
    const { gate, isAdaptive, features } = this.#surroundings
    if (queue.id === 0 || !queue.hasInterrupts || gate.isLevel(queue)) return false
    return (isAdaptive || features.interruptCoalescing !== 0) && !features.isCoalescingDisabled(queue.vector)
  }
}

function wantedNow ({ wanted, isTrying }: InterruptPace): number {
  return isTrying ? wanted * 2 : wanted
}
