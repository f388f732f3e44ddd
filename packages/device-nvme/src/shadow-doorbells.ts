import { DmaFault } from '@pcikit/core'
import type { Clock, DmaSpace } from '@pcikit/core'
import { CompletionQueue } from './queues/completion-queue.js'
import type { DoorbellWatch } from './queues/doorbell-watch.js'
import type { QueueSet } from './queues/queue-set.js'
import type { SubmissionQueue } from './queues/submission-queue.js'
import { ShadowBuffers } from './shadow-buffers.js'

type Queue = SubmissionQueue | CompletionQueue

/** How much longer than its host took last a queue is watched. */
const PATIENCE = 1.5
/** A queue is watched for so long at least, or not at all. */
const WATCH_MIN_MS = 0.005

/** What shadow doorbells work with. */
export interface ShadowSurroundings {
  readonly dma: DmaSpace
  readonly queues: QueueSet
  /** How long a queue is watched at most after its last work. 0: its host is asked to ring as soon as there is none. */
  readonly watchMs: number
  /** Doorbells that the controller has. */
  readonly doorbellCount: number
  /** Rings a doorbell, as a write of its register would. */
  ring(number: number, value: number): void
  /** Whether the level of an interrupt follows what the host takes from this queue. */
  isLevel(queue: CompletionQueue): boolean
  /** The host wrote a register. */
  onRegister(): void
  /** Something is to be looked at in the next turn. */
  onWatch(): void
  /** The time of turns. */
  clock(): Clock
}

/** Where the buffers are. */
export interface ShadowState {
  readonly shadowIova: number
  readonly eventsIova: number
}

/**
 * Doorbells in the host's memory, so that a busy queue is not rung for. [NVMe-Base] "Doorbell Buffer Config command",
 * "Updating Controller Doorbell Properties using a Shadow Doorbell Buffer".
 *
 * An entry counts when it changed. So one that makes no sense is told once, and a queue for which the host does not use
 * the buffers, as some do not for the admin queues, is rung by its register alone.
 *
 * The host writes the register when its entry moves past the controller's, the event index. While that is where the
 * doorbell was seen last, the host rings for the next entry; one place behind, it does not for a lap of the queue.
 */
export class ShadowDoorbells implements DoorbellWatch {
  readonly #surroundings: ShadowSurroundings
  #buffers: ShadowBuffers | undefined = undefined
  readonly #watched: SubmissionQueue[] = []
  #isLookDue = false

  constructor (surroundings: ShadowSurroundings) {
    this.#surroundings = surroundings
  }

  get isWatching (): boolean {
    return this.#isLookDue || this.#watched.length > 0
  }

  /** Doorbell Buffer Config. What is in the buffers now is where the queues are, whatever it says. */
  configure (shadowIova: number, eventsIova: number): void {
    this.forget()
    const { dma, queues, doorbellCount } = this.#surroundings
    this.#buffers = new ShadowBuffers(dma, shadowIova, eventsIova, doorbellCount)
    for (const queue of queues.submissionQueues) this.#start(queue)
    for (const queue of queues.completionQueues) this.#start(queue)
  }

  save (): ShadowState | undefined {
    if (this.#buffers === undefined) return undefined
    const { shadowIova, eventsIova } = this.#buffers
    return { shadowIova, eventsIova }
  }

  /** Goes on with the buffers of others. All queues are looked at when memory comes. */
  restore (state: ShadowState | undefined): void {
    if (state === undefined) return
    const { dma, doorbellCount } = this.#surroundings
    this.#buffers = new ShadowBuffers(dma, state.shadowIova, state.eventsIova, doorbellCount)
    this.memoryCame()
  }

  /** The buffers are not used any more. */
  forget (): void {
    this.#buffers?.close()
    this.#buffers = undefined
    this.#rest()
  }

  /** A queue was created, or is gone. */
  changed (id: number, kind: 'submission' | 'completion'): void {
    const { queues } = this.#surroundings
    const queue = kind === 'submission' ? queues.submissionQueue(id) : queues.completionQueue(id)
    if (queue !== undefined && this.#buffers !== undefined) this.#start(queue)
  }

  /** The host wrote a doorbell register. */
  ring (number: number, value: number): void {
    const surroundings = this.#surroundings
    const { queues } = surroundings
    const buffers = this.#buffers
    const id = number >>> 1
    const queue = (number & 1) === 0 ? queues.submissionQueue(id) : queues.completionQueue(id)
    surroundings.onRegister()
    if (buffers === undefined || queue === undefined) {
      surroundings.ring(number, value)
      return
    }
    if (!(queue instanceof CompletionQueue)) this.#learn(queue)
    const isFound = this.#lookAt(buffers, queue)
    // A register follows the shadow, which may have been seen already: one that comes late must not take the queue
    // back. So only the shadow counts; where it cannot be seen, it is looked at when its memory comes.
    if (!queue.doorbell.isShadowed) surroundings.ring(number, value)
    if (!isFound) this.#askIfThere(buffers, queue)
    else if (queue instanceof CompletionQueue) this.#settle(buffers, queue)
    else if (queue.doorbell.isShadowed) this.#watch(queue, performance.now())
  }

  look (): void {
    const buffers = this.#buffers
    if (buffers === undefined) return
    // To look would be a fault of nobody's making. Bus mastering switched on again is memory that came.
    if (!this.#surroundings.dma.isBusMaster) {
      this.#rest()
      return
    }
    if (this.#isLookDue) this.#lookAtAll(buffers)
    const queues = this.#watched
    if (queues.length === 0) return
    let kept = 0
    for (let index = 0; index < queues.length; index++) {
      const queue = queues[index]!
      if (queue.isOpen && this.#isBusy(buffers, queue)) queues[kept++] = queue
      else queue.isWatched = false
    }
    // To store the length that it has is a call into the engine all the same.
    if (kept < queues.length) queues.length = kept
  }

  published (queue: CompletionQueue): void {
    const buffers = this.#buffers
    if (buffers === undefined || this.#surroundings.watchMs === 0) return
    const nowMs = performance.now()
    for (let index = 0; index < queue.users.length; index++) {
      const user = queue.users[index]!
      if (!user.isAnswered) continue
      user.isAnswered = false
      user.busyAtMs = nowMs
      if (!user.doorbell.isShadowed || user.watchMs === 0) continue
      if (user.isWatched || this.#disarm(buffers, user)) this.#watch(user, nowMs)
    }
  }

  makeRoom (queue: CompletionQueue): void {
    const buffers = this.#buffers
    if (buffers === undefined) return
    this.#lookAt(buffers, queue)
    // Whoever waits for room is only known to the queue later.
    if (queue.room <= 0 || queue.isFull) this.#arm(buffers, queue)
    else this.#settle(buffers, queue)
  }

  memoryCame (): void {
    this.#isLookDue = this.#buffers !== undefined
  }

  /** The host is about to be interrupted for a queue. */
  beforeNotice (queue: CompletionQueue): void {
    if (this.#buffers !== undefined && this.#surroundings.isLevel(queue)) this.#arm(this.#buffers, queue)
  }

  /** Learns what the host has consumed of one queue. */
  lookAtHead (queue: CompletionQueue): void {
    if (this.#buffers !== undefined && this.#surroundings.dma.isBusMaster) this.#lookAt(this.#buffers, queue)
  }

  /** Learns what the host has consumed of all. */
  lookAtHeads (): void {
    for (const queue of this.#surroundings.queues.completionQueues) this.lookAtHead(queue)
  }

  #rest (): void {
    this.#isLookDue = false
    for (const queue of this.#watched.splice(0)) queue.isWatched = false
  }

  #start (queue: Queue): void {
    const buffers = this.#buffers!
    queue.doorbell.isShadowed = false
    queue.doorbell.value = buffers.load(queue.doorbell.number) ? buffers.value : 0
    this.#settle(buffers, queue)
  }

  #watch (queue: SubmissionQueue, nowMs: number): void {
    queue.busyAtMs = nowMs
    if (queue.isWatched) return
    queue.isWatched = true
    this.#watched.push(queue)
    this.#surroundings.onWatch()
  }

  /** The host rang, so the queue was not watched. It is from now on if that would have seen it; it is less if not. */
  #learn (queue: SubmissionQueue): void {
    const gapMs = (performance.now() - queue.busyAtMs) * PATIENCE
    if (gapMs <= this.#surroundings.watchMs) queue.watchMs = Math.max(queue.watchMs, gapMs)
    else queue.watchMs = queue.watchMs > WATCH_MIN_MS ? queue.watchMs / 2 : 0
  }

  /** Whether a queue is to be watched any longer. */
  #isBusy (buffers: ShadowBuffers, queue: SubmissionQueue): boolean {
    const clock = this.#surroundings.clock()
    const seen = queue.doorbell.value
    if (!this.#lookAt(buffers, queue)) {
      this.#askIfThere(buffers, queue)
      return false
    }
    if (queue.doorbell.value === seen) {
      return clock.nowMs - queue.busyAtMs < queue.watchMs || this.#arm(buffers, queue)
    }
    queue.busyAtMs = clock.nowMs
    // An event index that stays would be passed once in each lap.
    const passed = (queue.tail - queue.doorbell.eventIndex + queue.size) % queue.size
    if (passed > queue.size / 2) this.#disarm(buffers, queue)
    return true
  }

  /** The buffers may be in other memory now, so all that is to be in them is written anew as well. */
  #lookAtAll (buffers: ShadowBuffers): void {
    this.#isLookDue = false
    const { submissionQueues, completionQueues } = this.#surroundings.queues
    const nowMs = performance.now()
    for (const queue of completionQueues) {
      this.#lookAt(buffers, queue)
      this.#settle(buffers, queue)
    }
    for (const queue of submissionQueues) {
      this.#lookAt(buffers, queue)
      this.#settle(buffers, queue)
      if (queue.doorbell.isShadowed) this.#watch(queue, nowMs)
    }
  }

  /** Takes what is new in the host's entry. False: it cannot be seen, or only by asking. */
  #lookAt (buffers: ShadowBuffers, queue: Queue): boolean {
    if (!buffers.load(queue.doorbell.number)) return false
    if (buffers.value !== queue.doorbell.value) this.#take(queue, buffers.value)
    return true
  }

  #take (queue: Queue, value: number): void {
    queue.doorbell.value = value
    queue.doorbell.isShadowed = true
    this.#surroundings.ring(queue.doorbell.number, value)
  }

  /** Asks the host to ring for the next entry, unless a head is of no interest. */
  #settle (buffers: ShadowBuffers, queue: Queue): void {
    const isQuiet = queue instanceof CompletionQueue && !queue.isBlocking && !this.#surroundings.isLevel(queue)
    if (!isQuiet || !this.#disarm(buffers, queue)) this.#arm(buffers, queue)
  }

  /** The host shall not ring. False: the event index cannot be reached, or only by message. */
  #disarm (buffers: ShadowBuffers, queue: Queue): boolean {
    const { place, size } = queue
    queue.doorbell.eventIndex = place === 0 ? size - 1 : place - 1
    return buffers.store(queue.doorbell.number, queue.doorbell.eventIndex)
  }

  /**
   * The host shall ring for its next entry. It may have made one meanwhile, without a ring, so the last look comes
   * after the store, as the host looks at the event index after its own. True: there was something new.
   */
  #arm (buffers: ShadowBuffers, queue: Queue): boolean {
    const seen = queue.doorbell.value
    // A host cannot do more than a lap without us. One that does is none that is owed a ring.
    for (let tries = 0; tries < queue.size; tries++) {
      const { value } = queue.doorbell
      queue.doorbell.eventIndex = queue.place
      if (!buffers.store(queue.doorbell.number, queue.place) || !this.#lookAt(buffers, queue)) {
        buffers.load(queue.doorbell.number)
        this.#askIfThere(buffers, queue)
        break
      }
      if (queue.doorbell.value === value) break
    }
    return queue.doorbell.value !== seen
  }

  /** After a `load` without success: what is behind messages is asked for, what is gone is looked at when it comes. */
  #askIfThere (buffers: ShadowBuffers, queue: Queue): void {
    if (buffers.fault !== DmaFault.NONE) return
    queue.doorbell.isAskDue = true
    if (!queue.doorbell.isAsking) void this.#ask(buffers, queue)
  }

  /** Behind messages the host is asked to ring for every entry, as there is no looking without it. */
  async #ask (buffers: ShadowBuffers, queue: Queue): Promise<void> {
    queue.doorbell.isAsking = true
    while (queue.doorbell.isAskDue && queue.isOpen && this.#buffers === buffers) {
      queue.doorbell.isAskDue = false
      const value = await buffers.ask(queue.doorbell.number, queue.place)
      if (value === undefined || !queue.isOpen || this.#buffers !== buffers) continue
      // Where the memory is shared by now, what was asked for may be older than what was seen.
      const isShared = this.#lookAt(buffers, queue)
      if (isShared || value === queue.doorbell.value) continue
      this.#take(queue, value)
      queue.doorbell.isAskDue = true
    }
    queue.doorbell.isAsking = false
  }
}
