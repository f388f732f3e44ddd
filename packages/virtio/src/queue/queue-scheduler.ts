import { DmaFault, WorkList } from '@pcikit/core'
import type { Clock, EventLoopView } from '@pcikit/core'
import type { ChainRecord } from './chain-record.js'
import { QueueInterrupts } from './queue-interrupts.js'
import { QueueWatch } from './queue-watch.js'
import type { Ring } from './ring.js'
import { RingOutcome } from './ring.js'
import type { Virtqueue } from './virtqueue.js'

/** Chains taken from one queue before the next one has its turn. */
const BATCH_CHAINS = 32
/** Chains taken before the event loop has its turn … */
const TURN_CHAINS = 256
/** … and how long rounds after the first may take, for buffers can be large and an unmap must not wait for long. */
const TURN_MS = 0.5
/** A queue that is polled is looked at by so many scans after its last work, one after the other. */
const HEAT_SCANS = 1024

/** What a client is asked for. */
const Duty = Object.freeze({ SERVE: 0, PUBLISH: 1, INTERRUPT: 2 } as const)
type Duty = (typeof Duty)[keyof typeof Duty]

/** What the scheduler works for. Calls must not throw. */
export interface SchedulerPorts {
  /** Somebody calls `run` again and again: drivers never have to notify, and no turn has to be scheduled. */
  readonly isPolled: boolean
  /** What time it is for turns. */
  readonly clock: Clock
  readonly eventLoop: EventLoopView
  /** How long a queue is looked at, at most, after its last work before its driver has to notify, in milliseconds. */
  readonly watchMs: number
  /** Whether drivers that take buffers in bunches are interrupted once for a bunch. */
  readonly moderatesInterrupts: boolean
  readonly take: (chain: ChainRecord) => void
  readonly interrupt: (queueIndex: number) => void
  readonly broken: (reason: string) => void
  /** Has `run` called soon. */
  readonly schedule: () => void
  /** Queues wait for their memory, or none does any more. */
  readonly stalled: (isWaiting: boolean) => void
}

/**
 * Serves queues. A notification only lists its queue; a turn takes chains from the listed queues round robin, publishes
 * used buffers as runs, and interrupts at most once for each queue.
 *
 * ```
 *             the driver notifies, or buffers of it were used
 *   armed ─────────────────────────────────────────────────────► looked at ◄──┐ something new: take it
 *     ▲                                                              │  └─────┘
 *     └── ask to be notified, look once more, find nothing ◄─────────┘ nothing new for a while
 * ```
 */
export class QueueScheduler {
  readonly #ports: SchedulerPorts
  #listed = new WorkList<Virtqueue>()
  #spare = new WorkList<Virtqueue>()
  readonly #watch: QueueWatch
  readonly #interrupts: QueueInterrupts
  readonly #publishable = new WorkList<Virtqueue>()
  readonly #noticeable = new WorkList<Virtqueue>()
  readonly #stalled: Virtqueue[] = []
  /** How often memory came. What failed before that says nothing about now. */
  #arrivals = 0
  #isInTurn = false
  #isRunning = false
  #nowMs = 0

  constructor (ports: SchedulerPorts) {
    this.#ports = ports
    this.#watch = new QueueWatch(ports.watchMs, queue => this.list(queue))
    this.#interrupts = new QueueInterrupts({
      isAdaptive: ports.moderatesInterrupts,
      interrupt: ports.interrupt,
      held: () => this.#schedule()
    })
  }

  /** A queue that waits for memory, apart from bus mastering, if there is any. */
  get missing (): Virtqueue | undefined {
    return this.#stalled.find(queue => queue.fault !== DmaFault.BUS_MASTER_OFF)
  }

  /** What is listed is served from now on. */
  start (): void {
    this.#isRunning = true
    this.#schedule()
  }

  /** Nothing is served or told until {@link start}. */
  stop (): void {
    this.#isRunning = false
  }

  /** The driver notified. */
  rung (queue: Virtqueue): void {
    queue.isRung = true
    if (queue.isArmed && !queue.isListed && !queue.isWatched) this.#watch.learn(queue)
    this.list(queue)
  }

  /** A queue may have something new. */
  list (queue: Virtqueue): void {
    if (queue.isListed) return
    queue.isServeDue = !queue.isServable
    if (queue.isServeDue) return
    queue.isListed = true
    this.#listed.add(queue)
    this.#schedule()
  }

  /** Buffers of a queue are ready to be told of. */
  usedReady (queue: Virtqueue): void {
    if (queue.isPublishable) return
    queue.isPublishable = true
    this.#publishable.add(queue)
    this.#schedule()
  }

  /** A record of a queue was given back. */
  released (queue: Virtqueue): void {
    if (!queue.needsRecord) return
    queue.needsRecord = false
    this.list(queue)
  }

  /** Memory came: whatever waited for memory looks again, and what may have moved says anew what it wants. */
  memoryCame (queues: readonly Virtqueue[], iova: number, byteLength: number): void {
    this.#arrivals++
    for (const queue of queues) {
      if (queue.ring === undefined) continue
      const isMoved = queue.ring.overlaps(iova, byteLength)
      if (isMoved) queue.moved()
      if (isMoved || queue.isStalled) this.#lookAgain(queue)
    }
  }

  /** All are looked at, wherever they may be now. */
  lookAtAll (queues: readonly Virtqueue[]): void {
    this.memoryCame(queues, 0, Infinity)
  }

  /** Forgets every queue: they were disabled. */
  reset (queues: readonly Virtqueue[]): void {
    for (const list of [this.#listed, this.#publishable, this.#noticeable]) list.clear()
    this.#watch.clear()
    this.#interrupts.reset()
    this.#stalled.length = 0
    this.#spare = new WorkList<Virtqueue>()
    for (const queue of queues) {
      queue.isListed =
        queue.isWatched =
        queue.isPublishable =
        queue.isNoticeDue =
          false
    }
  }

  /** A queue was disabled. */
  forget (queue: Virtqueue): void {
    const place = this.#stalled.indexOf(queue)
    if (place >= 0) this.#stalled.splice(place, 1)
  }

  /** One turn. Returns how many chains it took and how many runs it published. */
  run (): number {
    if (!this.#isRunning || this.#isInTurn || !this.#hasWork) return 0
    this.#isInTurn = true
    try {
      return this.#turn()
    } finally {
      this.#isInTurn = false
      if (this.#hasWork) this.#schedule()
    }
  }

  get #hasWork (): boolean {
    return this.#listed.count > 0 || this.#publishable.count > 0 || this.#noticeable.count > 0 ||
      this.#watch.isWatching || this.#interrupts.isHolding
  }

  #turn (): number {
    if (!this.#ports.isPolled) this.#nowMs = this.#ports.clock.nowMs
    this.#watch.lookAll()
    let worked = this.#serveRound()
    if (this.#listed.count > 0) {
      this.#readClock()
      const endMs = this.#nowMs + TURN_MS
      do {
        worked += this.#serveRound()
        this.#readClock()
      } while (this.#listed.count > 0 && worked < TURN_CHAINS && this.#nowMs < endMs)
    }
    this.#interrupt()
    if (this.#isRunning) this.#interrupts.look(this.#ports.clock)
    this.#noteStalls()
    return worked
  }

  #readClock (): void {
    this.#ports.eventLoop.readClock()
    this.#nowMs = this.#ports.eventLoop.nowMs
  }

  /** While bus mastering is off queues may wait for as long as it takes. */
  #noteStalls (): void {
    this.#ports.stalled(this.#stalled.length > 0 && this.missing !== undefined)
  }

  #serveRound (): number {
    const served = this.#serveListed()
    const published = this.#publish()
    if (served > 0) this.#watch.lookAll()
    return served + published
  }

  #serveListed (): number {
    const queues = this.#listed
    this.#listed = this.#spare
    let served = 0
    for (let index = 0; index < queues.count; index++) {
      const queue = queues.at(index)
      queue.isListed = false
      if (this.#isRunning) served += this.#serve(queue)
    }
    queues.clear()
    this.#spare = queues
    return served
  }

  #serve (queue: Virtqueue): number {
    if (queue.isQuietDue) this.#quieten(queue)
    for (let served = 0; served < BATCH_CHAINS;) {
      const { ring } = queue
      // Listed while the client is asked for something, or while its memory is away: it is looked at after that.
      if (ring !== undefined && !queue.isServable) queue.isServeDue = true
      if (ring === undefined || !queue.isServable || !this.#isRunning) return served
      const record = queue.pool.peek()
      if (record === undefined) {
        queue.needsRecord = true
        return served
      }
      const outcome = ring.take(record)
      if (outcome === RingOutcome.DONE) {
        served++
        this.#start(queue, ring, record)
      } else if (outcome !== RingOutcome.NOTHING) {
        this.#stuck(queue, ring, outcome, Duty.SERVE)
        return served
      } else if (!this.#rest(queue, ring)) {
        return served
      }
    }
    this.list(queue)
    return BATCH_CHAINS
  }

  /** Whoever is polled says so once. */
  #quieten (queue: Virtqueue): void {
    queue.isQuietDue = false
    if (this.#ports.isPolled) queue.ring?.disarm()
  }

  #start (queue: Virtqueue, ring: Ring, record: ChainRecord): void {
    queue.take(record)
    queue.busyAtMs = this.#nowMs
    queue.heat = HEAT_SCANS
    if (queue.isArmed) queue.isArmed = ring.disarm()
    this.#ports.take(record)
  }

  /** There is nothing new. True: one more look is due. */
  #rest (queue: Virtqueue, ring: Ring): boolean {
    if (queue.isRung) {
      // What was read by message may be older than the notification.
      queue.isRung = false
      return true
    }
    if (queue.isArmed || this.#ports.isPolled) return false
    if (this.#watch.keep(queue, this.#nowMs)) return false
    const outcome = ring.arm()
    queue.isArmed = outcome === RingOutcome.DONE
    if (!queue.isArmed) this.#stuck(queue, ring, outcome, Duty.SERVE)
    return queue.isArmed
  }

  #stuck (queue: Virtqueue, ring: Ring, outcome: RingOutcome, duty: Duty): void {
    if (outcome === RingOutcome.ASK) void this.#ask(queue, ring, duty)
    else if (outcome === RingOutcome.FAULT) this.#stall(queue, ring.fault)
    else this.#ports.broken(`Queue ${queue.queueIndex}, ${ring.reason}`)
  }

  /** Has the client do what kept the queue from being served, published or interrupted for, and goes on with that. */
  async #ask (queue: Virtqueue, ring: Ring, duty: Duty): Promise<void> {
    const arrivals = this.#arrivals
    queue.isAsking = true
    const fault = await ring.ask()
    queue.isAsking = false
    queue.settle()
    if (duty === Duty.SERVE) queue.isServeDue = true
    if (queue.ring === undefined || queue.isStalled || !this.#isRunning) return
    const isAway = queue.ring === ring && fault !== DmaFault.NONE && arrivals === this.#arrivals
    if (isAway) this.#stall(queue, fault)
    else this.#answered(queue, duty)
    this.#noteStalls()
    this.#schedule()
  }

  /** What was asked for comes first, lest it be asked for again and again. The oldest duty is to serve. */
  #answered (queue: Virtqueue, duty: Duty): void {
    if (duty === Duty.INTERRUPT) this.#interruptFor(queue)
    if (queue.used.readyCount > 0) this.#publishQueue(queue)
    if (queue.isNoticeDue) this.#interruptFor(queue)
    if (queue.isServeDue) this.list(queue)
  }

  #stall (queue: Virtqueue, fault: DmaFault): void {
    queue.fault = fault
    if (queue.isStalled) return
    queue.isStalled = true
    this.#stalled.push(queue)
  }

  /** Whatever there may be to do for a queue is tried again. */
  #lookAgain (queue: Virtqueue): void {
    queue.isStalled = false
    this.forget(queue)
    this.list(queue)
    if (queue.used.readyCount > 0) this.usedReady(queue)
    if (queue.isNoticeDue) this.#noticeable.add(queue)
  }

  #publish (): number {
    const queues = this.#publishable
    let published = 0
    // Whatever stops the device may happen in the middle of a turn, and nothing is told from then on.
    for (let index = 0; index < queues.count; index++) {
      const queue = queues.at(index)
      queue.isPublishable = false
      if (this.#isRunning && this.#publishQueue(queue)) published++
    }
    queues.clear()
    return published
  }

  #publishQueue (queue: Virtqueue): boolean {
    const { ring } = queue
    let isPublished = false
    while (ring !== undefined && queue.isServable) {
      const outcome = ring.publish(queue.used)
      if (outcome === RingOutcome.NOTHING) break
      if (outcome === RingOutcome.DONE) isPublished = true
      else this.#stuck(queue, ring, outcome, Duty.PUBLISH)
    }
    if (isPublished && ring !== undefined) this.#published(queue, ring)
    return isPublished
  }

  /** The driver is likely to go on, so it is looked at if that was of use before. */
  #published (queue: Virtqueue, ring: Ring): void {
    if (!queue.isNoticeDue) {
      queue.isNoticeDue = true
      this.#noticeable.add(queue)
    }
    if (this.#ports.isPolled) return
    queue.busyAtMs = this.#nowMs
    if (!queue.isArmed || queue.watchMs === 0) return
    queue.isArmed = ring.disarm()
    this.list(queue)
  }

  #interrupt (): void {
    const queues = this.#noticeable
    if (!this.#isRunning) return
    for (let index = 0; index < queues.count; index++) this.#interruptFor(queues.at(index))
    queues.clear()
  }

  #interruptFor (queue: Virtqueue): void {
    const { ring } = queue
    // It is looked at again when there is an answer.
    if (queue.isAsking) return
    const outcome = ring === undefined ? RingOutcome.NOTHING : ring.checkInterrupt()
    if (ring !== undefined && outcome === RingOutcome.ASK) {
      void this.#ask(queue, ring, Duty.INTERRUPT)
      return
    }
    queue.isNoticeDue = false
    // Where the driver's wish cannot be seen, one interrupt too many is harmless and one too few is not.
    if (outcome === RingOutcome.FAULT) this.#ports.interrupt(queue.queueIndex)
    else if (outcome === RingOutcome.DONE || queue.pace.isHeld) this.#interrupts.send(queue)
  }

  #schedule (): void {
    if (this.#isRunning && !this.#isInTurn) this.#ports.schedule()
  }
}
