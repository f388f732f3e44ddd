import type { CompletionQueue } from './completion-queue.js'
import type { SubmissionQueue } from './submission-queue.js'

/** The queues of a controller by their identifiers, 0 being the admin queues. */
export class QueueSet {
  readonly #submission: (SubmissionQueue | undefined)[]
  readonly #completion: (CompletionQueue | undefined)[]
  /** The queues there are, for loops over all of them. */
  readonly submissionQueues: SubmissionQueue[] = []
  readonly completionQueues: CompletionQueue[] = []
  readonly all: (SubmissionQueue | CompletionQueue)[] = []

  /** `ioQueueCount`: I/O queue pairs at most. */
  constructor (ioQueueCount: number) {
    this.#submission = new Array<SubmissionQueue | undefined>(ioQueueCount + 1).fill(undefined)
    this.#completion = new Array<CompletionQueue | undefined>(ioQueueCount + 1).fill(undefined)
  }

  submissionQueue (id: number): SubmissionQueue | undefined {
    return this.#submission[id]
  }

  completionQueue (id: number): CompletionQueue | undefined {
    return this.#completion[id]
  }

  /** Whether there is an I/O queue. */
  get hasIoQueues (): boolean {
    return this.submissionQueues.some(queue => queue.id !== 0) || this.completionQueues.some(queue => queue.id !== 0)
  }

  addSubmissionQueue (queue: SubmissionQueue): void {
    this.#submission[queue.id] = queue
    this.submissionQueues.push(queue)
    this.all.push(queue)
    queue.completionQueue.users.push(queue)
  }

  addCompletionQueue (queue: CompletionQueue): void {
    this.#completion[queue.id] = queue
    this.completionQueues.push(queue)
    this.all.push(queue)
  }

  removeSubmissionQueue (queue: SubmissionQueue): void {
    this.#submission[queue.id] = undefined
    this.submissionQueues.splice(this.submissionQueues.indexOf(queue), 1)
    this.all.splice(this.all.indexOf(queue), 1)
    const { users } = queue.completionQueue
    users.splice(users.indexOf(queue), 1)
    queue.close()
  }

  removeCompletionQueue (queue: CompletionQueue): void {
    this.#completion[queue.id] = undefined
    this.completionQueues.splice(this.completionQueues.indexOf(queue), 1)
    this.all.splice(this.all.indexOf(queue), 1)
    queue.close()
  }

  /** Closes every queue. */
  clear (): void {
    for (const queue of this.submissionQueues) queue.close()
    for (const queue of this.completionQueues) queue.close()
    this.#submission.fill(undefined)
    this.#completion.fill(undefined)
    this.submissionQueues.length = 0
    this.completionQueues.length = 0
    this.all.length = 0
  }
}
