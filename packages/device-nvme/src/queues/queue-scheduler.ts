import { DmaFault, REAL_CLOCK, TurnLoop, WorkList } from '@pcikit/core'
import type { Clock, EventLoopView, StallWatch, TurnTargets } from '@pcikit/core'
import type { Command } from '../command.js'
import type { CommandPool } from '../command-pool.js'
import type { CompletionQueue } from './completion-queue.js'
import type { DoorbellWatch } from './doorbell-watch.js'
import type { SubmissionQueue } from './submission-queue.js'

/** Commands taken from one queue before the next one has its turn. */
const BATCH_COMMANDS = 32
/** Commands executed before the event loop has its turn … */
const TURN_COMMANDS = 256
/** … and how long rounds after the first may take, for commands can be large and an unmap must not wait for long. */
const TURN_MS = 0.5

/** Interrupts that are not sent at once. */
export interface HeldInterrupts {
  readonly isHolding: boolean
  /** Sends those that have waited long enough. */
  look(clock: Clock): void
}

/** What the back ends have. */
export type Media = Pick<TurnTargets, 'poll' | 'isWaiting'>

/** What the scheduler hands over to. */
export interface SchedulerPorts {
  /** Executes a command. Must not throw. */
  execute(command: Command): void
  /** Interrupts the host, once for each turn in which completions were published. */
  notify(queue: CompletionQueue): void
  readonly stalls: StallWatch
  /** Doorbells that have to be looked at. */
  readonly watch: DoorbellWatch
  /** Interrupts that wait for a moment. */
  readonly held: HeldInterrupts
  readonly eventLoop: EventLoopView
  readonly media: Media
}

/**
 * Serves queues. A doorbell only lists its queue; a turn, scheduled once, takes commands from the listed queues round
 * robin, publishes completions as runs, interrupts once for each completion queue, and gives the event loop its turn
 * before it goes on. [NVMe-Base] "Round Robin Arbitration".
 */
export class QueueScheduler {
  readonly #pool: CommandPool
  readonly #ports: SchedulerPorts
  #listed = new WorkList<SubmissionQueue>()
  #spare = new WorkList<SubmissionQueue>()
  readonly #publishable = new WorkList<CompletionQueue>()
  readonly #noticeable = new WorkList<CompletionQueue>()
  readonly #stalledSubmission: SubmissionQueue[] = []
  readonly #stalledCompletion: CompletionQueue[] = []
  readonly #turns: TurnLoop
  /** How often memory came. An answer to what was asked before that says nothing about now. */
  #arrivals = 0
  #isInTurn = false
  #isHalted = false
  #isSuspended = false
  /** Somebody calls `run` in a loop, so no turn has to be scheduled. */
  #isDriven = false
  readonly #publishedLater = (queue: CompletionQueue, count: number): void => {
    if (queue.arrivals !== this.#arrivals) queue.fault = DmaFault.NONE
    this.#published(queue, count)
    if (queue.hasWaiting) this.completionReady(queue)
    this.#schedule()
  }

  constructor (pool: CommandPool, ports: SchedulerPorts) {
    this.#pool = pool
    this.#ports = ports
    this.#turns = new TurnLoop({ run: () => this.run() > 0, ...ports.media }, ports.eventLoop)
  }

  /** Set while somebody calls {@link run} in a loop: no turn has to be scheduled then. */
  set isDriven (value: boolean) {
    this.#isDriven = value
    if (!value && this.#hasWork) this.#schedule()
  }

  /** What time it is for turns. */
  get clock (): Clock {
    return this.#isDriven ? REAL_CLOCK : this.#turns
  }

  /** See {@link Media}. */
  poll (mayWait: boolean): boolean {
    return this.#ports.media.poll(mayWait)
  }

  /** There are doorbells to look at. */
  watch (): void {
    this.#schedule()
  }

  /** A queue may have something to fetch. */
  wake (queue: SubmissionQueue): void {
    if (queue.isListed || !queue.isServable) return
    queue.isListed = true
    this.#listed.add(queue)
    this.#schedule()
  }

  /** A completion queue has something to publish. */
  completionReady (queue: CompletionQueue): void {
    if (queue.isListed || queue.isStalled) return
    queue.isListed = true
    this.#publishable.add(queue)
    this.#schedule()
  }

  /** The host consumed completions, or a command gave its place up. */
  roomMade (queue: CompletionQueue): void {
    if (queue.hasWaiting) this.completionReady(queue)
    for (let waiter = queue.unblock(); waiter !== undefined; waiter = queue.unblock()) this.wake(waiter)
  }

  /** Memory came: whatever waited for memory looks again. */
  memoryCame (): void {
    this.#arrivals++
    this.#ports.watch.memoryCame()
    for (const queue of this.#stalledSubmission.splice(0)) {
      queue.isStalled = false
      this.wake(queue)
    }
    for (const queue of this.#stalledCompletion.splice(0)) {
      queue.isStalled = false
      if (queue.isOpen) this.completionReady(queue)
    }
    this.#schedule()
  }

  /** Whether a queue waits for memory. While Bus Master Enable is clear it may wait for as long as it takes. */
  get isStalled (): boolean {
    return this.#stalledSubmission.some(isMissingMemory) || this.#stalledCompletion.some(isMissingMemory)
  }

  /**
   * The client is gone. Nothing is served or told until one rings a doorbell: its queues may be where another client
   * has something else, and nobody is waiting.
   */
  suspend (): void {
    this.#isSuspended = true
    this.#ports.stalls.end()
  }

  /** A client rang a doorbell. */
  resume (): void {
    if (!this.#isSuspended) return
    this.#isSuspended = false
    this.memoryCame()
  }

  /** Stops until {@link reset}. */
  halt (): void {
    this.#isHalted = true
    this.#ports.stalls.end()
  }

  /** Forgets every queue: they were closed. */
  reset (): void {
    this.#listed.release()
    this.#spare.release()
    this.#publishable.release()
    this.#noticeable.release()
    this.#stalledSubmission.length = 0
    this.#stalledCompletion.length = 0
    this.#isHalted = false
    this.#isSuspended = false
    this.#ports.stalls.end()
    this.#turns.cancel()
  }

  /** One turn. Returns how many commands it took. */
  run (): number {
    if (this.#isHalted || this.#isSuspended || this.#isInTurn) return 0
    if (!this.#hasWork && this.#noticeable.count === 0) {
      this.#watchStalls()
      return 0
    }
    this.#isInTurn = true
    this.#ports.watch.look()
    let served = this.#oneRound()
    if (this.#listed.count > 0) {
      const { eventLoop } = this.#ports
      eventLoop.readClock()
      const endMs = eventLoop.nowMs + TURN_MS
      do {
        served += this.#oneRound()
        eventLoop.readClock()
      } while (this.#listed.count > 0 && served < TURN_COMMANDS && eventLoop.nowMs < endMs)
    }
    this.#publish()
    this.#notify()
    this.#ports.held.look(this.clock)
    this.#isInTurn = false
    this.#watchStalls()
    if (this.#hasWork) this.#schedule()
    return served
  }

  get #hasWork (): boolean {
    const { watch, held } = this.#ports
    return this.#listed.count > 0 || this.#publishable.count > 0 || watch.isWatching || held.isHolding
  }

  #oneRound (): number {
    const served = this.#serveListed()
    this.#publish()
    if (served > 0) this.#ports.watch.look()
    return served
  }

  #serveListed (): number {
    const queues = this.#listed
    this.#listed = this.#spare
    let served = 0
    for (let index = 0; index < queues.count && !this.#isHalted; index++) {
      const queue = queues.at(index)
      queue.isListed = false
      served += this.#serve(queue)
      this.wake(queue)
    }
    queues.clear()
    this.#spare = queues
    return served
  }

  #serve (queue: SubmissionQueue): number {
    const completionQueue = queue.completionQueue
    for (let served = 0; served < BATCH_COMMANDS; served++) {
      if (!queue.isServable || this.#isHalted) return served
      if (completionQueue.room <= 0 && !this.#makeRoom(completionQueue)) {
        completionQueue.block(queue)
        return served
      }
      const command = this.#pool.take(queue)
      if (!queue.fetch(command)) {
        this.#pool.release(command)
        if (queue.fault === DmaFault.NONE) return served + this.#fetchRun(queue)
        this.#stallSubmission(queue)
        return served
      }
      this.#start(command, queue)
    }
    return BATCH_COMMANDS
  }

  #makeRoom (queue: CompletionQueue): boolean {
    this.#ports.watch.makeRoom(queue)
    return queue.room > 0
  }

  #start (command: Command, queue: SubmissionQueue): void {
    command.isActive = true
    queue.inFlight++
    queue.completionQueue.reserve()
    this.#ports.execute(command)
  }

  /** Fetches entries that are not in one piece of shared memory. */
  #fetchRun (queue: SubmissionQueue): number {
    const count = queue.runLength(queue.completionQueue.room)
    const reading = queue.readRun(count)
    if (typeof reading === 'number') return this.#startRun(queue, count, reading)
    const arrivals = this.#arrivals
    queue.isFetching = true
    void reading.then(fault => {
      queue.isFetching = false
      if (!queue.isOpen || queue.isEnding || this.#isHalted) return
      if (fault === DmaFault.NONE || arrivals === this.#arrivals) this.#startRun(queue, count, fault)
      this.wake(queue)
      this.#schedule()
    })
    return 0
  }

  #startRun (queue: SubmissionQueue, count: number, fault: DmaFault): number {
    queue.fault = fault
    if (fault !== DmaFault.NONE) {
      this.#stallSubmission(queue)
      return 0
    }
    for (let index = 0; index < count && queue.isOpen && !this.#isHalted; index++) {
      const command = this.#pool.take(queue)
      queue.loadRead(command, index)
      this.#start(command, queue)
    }
    return count
  }

  #publish (): void {
    const queues = this.#publishable
    // Whatever stops the controller may happen in the middle of a turn, and nothing is told from then on.
    for (let index = 0; index < queues.count && !this.#isHalted; index++) {
      const queue = queues.at(index)
      queue.isListed = false
      queue.arrivals = this.#arrivals
      if (!queue.isOpen) continue
      this.#published(queue, queue.publish(this.#publishedLater))
      if (queue.hasWaiting && queue.isFull) this.#ports.watch.makeRoom(queue)
    }
    queues.clear()
  }

  #notify (): void {
    const queues = this.#noticeable
    for (let index = 0; index < queues.count; index++) {
      const queue = queues.at(index)
      queue.isNoticeDue = false
      if (queue.isOpen) this.#ports.notify(queue)
    }
    queues.clear()
  }

  #published (queue: CompletionQueue, count: number): void {
    if (count > 0) this.#ports.watch.published(queue)
    if (count > 0 && !queue.isNoticeDue) {
      queue.isNoticeDue = true
      this.#noticeable.add(queue)
    }
    if (queue.fault === DmaFault.NONE || queue.isStalled) return
    queue.isStalled = true
    this.#stalledCompletion.push(queue)
    if (isMissingMemory(queue)) this.#ports.stalls.begin()
  }

  #stallSubmission (queue: SubmissionQueue): void {
    queue.isStalled = true
    this.#stalledSubmission.push(queue)
    if (isMissingMemory(queue)) this.#ports.stalls.begin()
  }

  #watchStalls (): void {
    if (this.#stalledSubmission.length === 0 && this.#stalledCompletion.length === 0) this.#ports.stalls.end()
    else if (this.isStalled) this.#ports.stalls.begin()
    else this.#ports.stalls.end()
  }

  #schedule (): void {
    if (this.#isInTurn || this.#isDriven || this.#isHalted || this.#isSuspended) return
    this.#turns.schedule()
  }
}

function isMissingMemory (queue: SubmissionQueue | CompletionQueue): boolean {
  return queue.isOpen && queue.fault !== DmaFault.BUS_MASTER_OFF
}
