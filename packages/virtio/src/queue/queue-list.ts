import type { Virtqueue } from './virtqueue.js'

/** Queues in the order in which they were added, in an array that is kept: emptying it gives nothing away. */
export class QueueList {
  count = 0
  readonly #queues: Virtqueue[] = []

  push (queue: Virtqueue): void {
    this.#queues[this.count++] = queue
  }

  at (index: number): Virtqueue {
    return this.#queues[index]!
  }

  clear (): void {
    this.count = 0
  }
}
