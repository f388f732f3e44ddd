import type {
  QueueEngine,
  QueueEvents,
  QueueSurroundings,
  VirtqueueFeatures,
  VirtqueuePlace
} from '../../src/queue/queue-engine.js'

/** Queues that write down what is asked of them. */
export class FakeEngine implements QueueEngine {
  readonly calls: string[] = []
  readonly places: VirtqueuePlace[] = []
  readonly features: VirtqueueFeatures[] = []
  readonly surroundings: QueueSurroundings
  /** Ends the reset of a queue that is under way. */
  finishQueueReset: () => void = () => undefined
  /** Fails it. */
  failQueueReset: (error: Error) => void = () => undefined
  /** What is waited for when the device is closed. */
  idle: Promise<void> = Promise.resolve()

  constructor (surroundings: QueueSurroundings) {
    this.surroundings = surroundings
  }

  get events (): QueueEvents {
    return this.surroundings.events
  }

  enable (queueIndex: number, place: VirtqueuePlace, features: VirtqueueFeatures): void {
    this.calls.push(`enable ${queueIndex}`)
    this.places.push(place)
    this.features.push(features)
  }

  start (): void {
    this.calls.push('start')
  }

  notify (queueIndex: number): void {
    this.calls.push(`notify ${queueIndex}`)
  }

  resetQueue (queueIndex: number): Promise<void> {
    this.calls.push(`reset ${queueIndex}`)
    return new Promise((resolve, reject) => {
      this.finishQueueReset = resolve
      this.failQueueReset = reject
    })
  }

  reset (): void {
    this.calls.push('reset')
  }

  halt (): void {
    this.calls.push('halt')
  }

  suspend (): void {
    this.calls.push('suspend')
  }

  whenIdle (): Promise<void> {
    return this.idle
  }

  close (): void {
    this.calls.push('close')
  }
}
