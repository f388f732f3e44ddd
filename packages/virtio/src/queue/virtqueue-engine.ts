import {
  assert,
  BlindEventLoop,
  DmaFault,
  dropFaults,
  FaultPolicy,
  PollLoop,
  REAL_CLOCK,
  StallWatch,
  TurnLoop
} from '@pcikit/core'
import type { DmaSpace, Subscription } from '@pcikit/core'
import { DataFaults } from './data-faults.js'
import type { QueueEngine, QueueSurroundings, VirtqueueFeatures, VirtqueuePlace } from './queue-engine.js'
import { QueueScheduler } from './queue-scheduler.js'
import { Virtqueue } from './virtqueue.js'
import type { VirtqueueSurroundings } from './virtqueue.js'

/** Queues that each scan looks at besides the busy ones: all of them in turn. */
const SLICE_QUEUES = 8

/** The device's side of virtqueues, split and packed. [virtio] "Virtqueues". */
export function createQueueEngine (surroundings: QueueSurroundings): QueueEngine {
  return new VirtqueueEngine(surroundings)
}

class VirtqueueEngine implements QueueEngine {
  readonly #surroundings: QueueSurroundings
  /** Guest memory as buffers are reached: as the fault policy has it. */
  readonly #data: DmaSpace
  readonly #queues: readonly Virtqueue[]
  readonly #scheduler: QueueScheduler
  readonly #stalls: StallWatch
  /** For the fault policy `fatal`. */
  readonly #faults: DataFaults | undefined
  /** Where nobody notifies. */
  readonly #loop: PollLoop | undefined
  /** Where they do. */
  readonly #turns: TurnLoop
  readonly #mapped: Subscription
  #isStarted = false
  #isHalted = false
  #isSuspended = false
  /** The last queue that was looked at in its turn. */
  #cursor = 0
  /** Chains that the device has, and did not complete yet. */
  #chains = 0

  constructor (surroundings: QueueSurroundings) {
    const { dma, queues, times, faultPolicy, graceMs, events } = surroundings
    const isPolled = times.doorbells === 'mmap'
    this.#surroundings = surroundings
    this.#data = faultPolicy === FaultPolicy.DROP ? dropFaults(dma) : dma
    this.#faults = faultPolicy !== FaultPolicy.FATAL ? undefined : new DataFaults(dma, record => {
      this.#broken(`Queue ${record.queueIndex}, head ${record.id}: its buffers cannot be reached.`)
    })
    this.#stalls = new StallWatch(faultPolicy, graceMs, () => this.#missed())
    const eventLoop = surroundings.eventLoop ?? new BlindEventLoop()
    const targets = {
      run: () => this.#run() > 0,
      poll: (mayWait: boolean) => this.#chains > 0 && events.poll(mayWait),
      isWaiting: () => this.#chains > 0
    }
    this.#turns = new TurnLoop(targets, eventLoop)
    this.#scheduler = new QueueScheduler({
      isPolled,
      clock: isPolled ? REAL_CLOCK : this.#turns,
      eventLoop,
      watchMs: times.watchUs / 1000,
      moderatesInterrupts: surroundings.moderatesInterrupts,
      take: record => {
        this.#faults?.begin(record)
        events.take(record)
      },
      interrupt: queueIndex => events.interrupt(queueIndex),
      broken: reason => this.#broken(reason),
      schedule: () => this.#schedule(),
      stalled: isWaiting => isWaiting ? this.#stalls.begin() : this.#stalls.end()
    })
    this.#loop = isPolled ? this.#createLoop() : undefined
    const shared = this.#surroundQueues()
    this.#queues = queues.map(({ entriesMax }, index) => new Virtqueue(index, entriesMax, shared))
    this.#mapped = dma.onMap((iova, byteLength) => {
      if (this.#isServing) this.#scheduler.memoryCame(this.#queues, iova, byteLength)
    })
  }

  enable (queueIndex: number, place: VirtqueuePlace, features: VirtqueueFeatures): void {
    const queue = this.#queueAt(queueIndex)
    this.#scheduler.forget(queue)
    queue.enable(place, features)
    this.#scheduler.list(queue)
  }

  start (): void {
    this.#isStarted = true
    this.#goOn()
  }

  notify (queueIndex: number): void {
    const queue = this.#queues[queueIndex]
    if (queue?.ring === undefined || !this.#isStarted) return
    if (this.#isSuspended) {
      this.#isSuspended = false
      this.#goOn()
    }
    this.#scheduler.rung(queue)
  }

  resetQueue (queueIndex: number): Promise<void> {
    const queue = this.#queueAt(queueIndex)
    queue.disable()
    this.#scheduler.forget(queue)
    return queue.whenIdle()
  }

  reset (): void {
    this.#pause()
    this.#isStarted = this.#isHalted = this.#isSuspended = false
    for (const queue of this.#queues) queue.disable()
    this.#scheduler.reset(this.#queues)
    // Copies of what was in flight go nowhere any more. Whoever resets waits for the memory itself.
    void this.#data.drain()
  }

  halt (): void {
    this.#isHalted = true
    this.#pause()
  }

  suspend (): void {
    this.#isSuspended = true
    this.#pause()
  }

  async whenIdle (): Promise<void> {
    await Promise.all(this.#queues.map(queue => queue.whenIdle()))
  }

  close (): void {
    this.reset()
    this.#mapped.close()
    this.#faults?.close()
  }

  get #isServing (): boolean {
    return this.#isStarted && !this.#isHalted && !this.#isSuspended
  }

  #queueAt (queueIndex: number): Virtqueue {
    const queue = this.#queues[queueIndex]
    assert(queue !== undefined, 'a device has the queues that it was described with')
    return queue
  }

  #createLoop (): PollLoop {
    const { times, events, eventLoop } = this.#surroundings
    const targets = {
      scan: () => this.#scan(),
      poll: (mayWait: boolean) => events.poll(mayWait),
      isSettled: () => this.#chains === 0
    }
    return new PollLoop(targets, {
      turnMs: times.pollSocketUs / 1000,
      idleMs: times.pollIdleUs / 1000,
      backOffMs: times.pollBackOffMs
    }, eventLoop)
  }

  #surroundQueues (): VirtqueueSurroundings {
    return {
      dma: this.#surroundings.dma,
      data: this.#data,
      usedReady: queue => this.#scheduler.usedReady(queue),
      taken: () => void this.#chains++,
      released: queue => {
        this.#chains--
        this.#scheduler.released(queue)
      },
      faulted: record => this.#faults?.note(record)
    }
  }

  #goOn (): void {
    if (!this.#isServing) return
    this.#scheduler.start()
    this.#scheduler.lookAtAll(this.#queues)
    this.#loop?.start()
  }

  #pause (): void {
    this.#scheduler.stop()
    this.#stalls.end()
    this.#loop?.stop()
    this.#turns.cancel()
  }

  #schedule (): void {
    if (this.#loop !== undefined) this.#loop.kick()
    else this.#turns.schedule()
  }

  #run (): number {
    try {
      return this.#scheduler.run()
    } catch (error) {
      this.#surroundings.logger.error({ err: error }, 'The device failed while it served its queues.')
      this.#broken('The device failed.')
      return 0
    }
  }

  /** Looks at the queues that were busy a moment ago, and at a few of the others. */
  #scan (): boolean {
    const queues = this.#queues
    for (let index = 0; index < queues.length; index++) {
      const queue = queues[index]!
      if (queue.heat === 0) continue
      queue.heat--
      this.#scheduler.list(queue)
    }
    const count = Math.min(SLICE_QUEUES, queues.length)
    for (let seen = 0; seen < count; seen++) {
      this.#cursor = this.#cursor + 1 < queues.length ? this.#cursor + 1 : 0
      this.#scheduler.list(queues[this.#cursor]!)
    }
    return this.#run() > 0
  }

  /** Memory has stayed away for too long. With bus mastering off it may. */
  #missed (): void {
    const queue = this.#scheduler.missing
    if (queue === undefined || !this.#surroundings.dma.isBusMaster) return
    const name = Object.keys(DmaFault).find(key => DmaFault[key as keyof typeof DmaFault] === queue.fault)
    this.#broken(`Queue ${queue.queueIndex}: its memory is away (${name ?? queue.fault}).`)
  }

  #broken (reason: string): void {
    if (this.#isHalted) return
    this.halt()
    this.#surroundings.events.broken(reason)
  }
}
