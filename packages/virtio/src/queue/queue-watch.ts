import { WorkList } from '@pcikit/core'
import type { Virtqueue } from './virtqueue.js'

/** How much longer than its driver took last a queue is looked at. */
const PATIENCE = 1.5
/** A queue is looked at for so long at least, or not at all. */
const WATCH_MIN_MS = 0.005

/**
 * The queues that are looked at in each turn for a while after their work, so that their drivers need not notify. How
 * long that is of use each driver shows; for one that takes longer than the limit it is not done.
 */
export class QueueWatch {
  readonly #watchMs: number
  readonly #look: (queue: Virtqueue) => void
  #watched = new WorkList<Virtqueue>()
  #spare = new WorkList<Virtqueue>()

  /** @param look looks at a queue, which is not watched any more */
  constructor (watchMs: number, look: (queue: Virtqueue) => void) {
    this.#watchMs = watchMs
    this.#look = look
  }

  get isWatching (): boolean {
    return this.#watched.count > 0
  }

  /** The driver had to notify. Its queue is watched longer from now on if that would have seen it; less if not. */
  learn (queue: Virtqueue): void {
    const gapMs = (performance.now() - queue.busyAtMs) * PATIENCE
    if (gapMs <= this.#watchMs) queue.watchMs = Math.max(queue.watchMs, gapMs)
    else queue.watchMs = queue.watchMs > WATCH_MIN_MS ? queue.watchMs / 2 : 0
  }

  /** Watches a queue without anything new, unless it is that for too long already. */
  keep (queue: Virtqueue, nowMs: number): boolean {
    if (nowMs - queue.busyAtMs >= queue.watchMs) return false
    queue.isWatched = true
    this.#watched.add(queue)
    return true
  }

  /** Looks at each of them once. */
  lookAll (): void {
    const queues = this.#watched
    if (queues.count === 0) return
    this.#watched = this.#spare
    for (let index = 0; index < queues.count; index++) {
      const queue = queues.at(index)
      queue.isWatched = false
      this.#look(queue)
    }
    queues.clear()
    this.#spare = queues
  }

  clear (): void {
    this.#watched.clear()
    this.#spare = new WorkList<Virtqueue>()
  }
}
