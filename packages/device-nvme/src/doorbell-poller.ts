import { PollLoop } from '@pcikit/core'
import type { EventLoopView, PollTimes } from '@pcikit/core'
import type { DoorbellPage } from './doorbell-page.js'
import type { Doorbells } from './doorbells.js'
import { CompletionQueue } from './queues/completion-queue.js'
import type { QueueScheduler } from './queues/queue-scheduler.js'
import type { QueueSet } from './queues/queue-set.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/** Doorbells that each scan looks at besides the busy ones: all of them in turn. */
const SLICE_DOORBELLS = 8
/** A doorbell is busy for so many turns after it was rung. */
const BUSY_TURNS = 16

/** What the poller works with. */
export interface PollerParts {
  readonly queues: QueueSet
  readonly doorbells: Doorbells
  readonly scheduler: QueueScheduler
}

/** What it polls with. */
export interface PollerSurroundings {
  readonly poller: PollTimes
  readonly eventLoop?: EventLoopView | undefined
}

/**
 * Looks at mapped doorbells, in a {@link PollLoop}. What a scan costs does not grow with the number of queues: it looks
 * at the doorbells that were rung a moment ago, and at a few of the others.
 */
export class DoorbellPoller {
  readonly #page: DoorbellPage
  readonly #parts: PollerParts
  readonly #loop: PollLoop
  readonly #busy: (SubmissionQueue | CompletionQueue)[] = []
  /** The next one of all queues that a scan looks at. */
  #cursor = 0
  #turns = 0

  constructor (page: DoorbellPage, parts: PollerParts, { poller, eventLoop }: PollerSurroundings) {
    this.#page = page
    this.#parts = parts
    const { scheduler, queues } = parts
    this.#loop = new PollLoop(
      {
        begin: () => this.#begin(),
        scan: () => {
          this.#scan()
          return scheduler.run() > 0
        },
        poll: mayWait => scheduler.poll(mayWait),
        isSettled: () => !queues.all.some(isExpecting),
        end: () => {
          scheduler.isDriven = false
        }
      },
      poller,
      eventLoop
    )
  }

  start (): void {
    this.#loop.start()
  }

  stop (): void {
    this.#loop.stop()
    for (const queue of this.#busy.splice(0)) queue.doorbell.isBusy = false
  }

  /** Something may have happened: do not wait for the timer. */
  kick (): void {
    this.#loop.kick()
  }

  #begin (): void {
    this.#parts.scheduler.isDriven = true
    this.#turns++
    this.#ageBusy()
  }

  #scan (): void {
    const busy = this.#busy
    for (let index = 0; index < busy.length; index++) this.#look(busy[index]!)
    const { all } = this.#parts.queues
    const count = Math.min(SLICE_DOORBELLS, all.length)
    for (let seen = 0; seen < count; seen++) {
      this.#cursor = this.#cursor + 1 < all.length ? this.#cursor + 1 : 0
      const queue = all[this.#cursor]!
      if (!queue.doorbell.isBusy) this.#look(queue)
    }
  }

  /** A doorbell counts when it changed, so that a value that makes no sense is told once. */
  #look (queue: SubmissionQueue | CompletionQueue): void {
    const value = this.#page.load(queue.doorbell.number)
    // One that was deleted stays in the list until the next turn.
    if (value === queue.doorbell.value || !queue.isOpen) return
    queue.doorbell.value = value
    queue.doorbell.rungInTurn = this.#turns
    if (!queue.doorbell.isBusy) {
      queue.doorbell.isBusy = true
      this.#busy.push(queue)
    }
    if (queue instanceof CompletionQueue) this.#parts.doorbells.ringHead(queue, value)
    else this.#parts.doorbells.ringTail(queue, value)
  }

  #ageBusy (): void {
    const busy = this.#busy
    let kept = 0
    for (let index = 0; index < busy.length; index++) {
      const queue = busy[index]!
      queue.doorbell.isBusy = queue.isOpen && this.#turns - queue.doorbell.rungInTurn < BUSY_TURNS
      if (queue.doorbell.isBusy) busy[kept++] = queue
    }
    if (kept < busy.length) busy.length = kept
  }
}

/** Commands that were fetched have not ended yet, whatever they wait for. */
function isExpecting (queue: SubmissionQueue | CompletionQueue): boolean {
  return queue instanceof CompletionQueue && queue.isExpecting
}
