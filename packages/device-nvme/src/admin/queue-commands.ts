import type { DmaSpace } from '@pcikit/core'
import type { Command } from '../command.js'
import { CreateCqDword11, CreateQueueDword10, CreateSqDword11 } from '../layouts/command.js'
import { NumberOfQueues } from '../layouts/features.js'
import type { LateChanges } from '../late-changes.js'
import { offsetInPage } from '../prp-list.js'
import type { PrpMapper } from '../prp.js'
import { CompletionQueue } from '../queues/completion-queue.js'
import type { QueueSet } from '../queues/queue-set.js'
import { SubmissionQueue } from '../queues/submission-queue.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'

/** What bounds the queues that a host may create. */
export interface QueueLimits {
  /** I/O queue pairs. */
  readonly queues: number
  /** Entries of a queue: MQES + 1. */
  readonly entries: number
  /** Interrupt vectors that the function offers. */
  readonly vectors: number
}

/** Where queue commands find and put things. */
export interface QueueSurroundings {
  readonly dma: DmaSpace
  readonly prps: PrpMapper
  readonly queues: QueueSet
  readonly limits: QueueLimits
  readonly late: LateChanges
  /** A queue was created or deleted: its doorbell starts over. */
  onDoorbellReset(id: number, kind: 'submission' | 'completion'): void
  /** A completion queue is about to go. */
  onDelete(queue: CompletionQueue): void
}

/** Create and Delete I/O Submission and Completion Queue. [NVMe-Base] of the same titles. */
export class QueueCommands {
  readonly #surroundings: QueueSurroundings
  #submissionGranted: number
  #completionGranted: number

  constructor (surroundings: QueueSurroundings) {
    this.#surroundings = surroundings
    this.#submissionGranted = this.#completionGranted = surroundings.limits.queues
  }

  /** Whether there are I/O queues. */
  get exist (): boolean {
    return this.#surroundings.queues.hasIoQueues
  }

  /** How many queues may be created, as Number of Queues reports it. */
  get granted (): number {
    return packQueueCounts(this.#submissionGranted, this.#completionGranted)
  }

  /** How many queues could be granted. */
  get available (): number {
    const { queues } = this.#surroundings.limits
    return packQueueCounts(queues, queues)
  }

  /** Grants as many as were asked for and can be had. Without this, all can be created. */
  grant (submission: number, completion: number): void {
    const { queues } = this.#surroundings.limits
    this.#submissionGranted = Math.min(submission, queues)
    this.#completionGranted = Math.min(completion, queues)
  }

  /** How many queues may be created: submission, then completion queues. */
  save (): readonly [submission: number, completion: number] {
    return [this.#submissionGranted, this.#completionGranted]
  }

  reset (): void {
    this.#submissionGranted = this.#completionGranted = this.#surroundings.limits.queues
  }

  createCompletionQueue (command: Command): Status {
    const { dma, queues, limits } = this.#surroundings
    const id = CreateQueueDword10.QID.get(command.cdw10)
    const vector = CreateCqDword11.IV.get(command.cdw11)
    if (id === 0 || id > this.#completionGranted || queues.completionQueue(id) !== undefined) {
      return Status.INVALID_QUEUE_IDENTIFIER
    }
    const invalid = this.#checkRing(command, CreateCqDword11.PC.isSet(command.cdw11))
    if (invalid !== Status.SUCCESS) return invalid
    if (vector >= limits.vectors) return Status.INVALID_INTERRUPT_VECTOR
    const place = { id, iova: command.prp1, size: CreateQueueDword10.QSIZE.get(command.cdw10) + 1 }
    const interrupt = { vector, isEnabled: CreateCqDword11.IEN.isSet(command.cdw11) }
    queues.addCompletionQueue(new CompletionQueue(dma, place, interrupt))
    this.#surroundings.onDoorbellReset(id, 'completion')
    return Status.SUCCESS
  }

  createSubmissionQueue (command: Command): Status {
    const { dma, queues, limits } = this.#surroundings
    const id = CreateQueueDword10.QID.get(command.cdw10)
    const completionId = CreateSqDword11.CQID.get(command.cdw11)
    if (id === 0 || id > this.#submissionGranted || queues.submissionQueue(id) !== undefined) {
      return Status.INVALID_QUEUE_IDENTIFIER
    }
    // "If the value specified is 0h ... or outside of the range supported": Invalid Queue Identifier; in range, but not
    // created: Completion Queue Invalid.
    if (completionId === 0 || completionId > limits.queues) return Status.INVALID_QUEUE_IDENTIFIER
    const completionQueue = queues.completionQueue(completionId)
    if (completionQueue === undefined) return Status.COMPLETION_QUEUE_INVALID
    const invalid = this.#checkRing(command, CreateSqDword11.PC.isSet(command.cdw11))
    if (invalid !== Status.SUCCESS) return invalid
    const place = { id, iova: command.prp1, size: CreateQueueDword10.QSIZE.get(command.cdw10) + 1 }
    queues.addSubmissionQueue(new SubmissionQueue(dma, place, completionQueue))
    this.#surroundings.onDoorbellReset(id, 'submission')
    return Status.SUCCESS
  }

  /** Ends when every command that was fetched from the queue has ended. What was not fetched is dropped. */
  deleteSubmissionQueue (command: Command): Outcome {
    const { queues } = this.#surroundings
    const queue = ioQueue(command, id => queues.submissionQueue(id))
    if (queue === undefined || queue.isEnding) return Status.INVALID_QUEUE_IDENTIFIER
    queue.isEnding = true
    this.#surroundings.late.endOf(queue)
    if (queue.inFlight === 0) return this.#removeSubmissionQueue(queue)
    return new Promise(resolve => {
      queue.onIdle = () => resolve(this.#removeSubmissionQueue(queue))
    })
  }

  deleteCompletionQueue (command: Command): Status {
    const { queues } = this.#surroundings
    const queue = ioQueue(command, id => queues.completionQueue(id))
    if (queue === undefined) return Status.INVALID_QUEUE_IDENTIFIER
    if (queue.users.length > 0) return Status.INVALID_QUEUE_DELETION
    this.#surroundings.onDelete(queue)
    queues.removeCompletionQueue(queue)
    this.#surroundings.onDoorbellReset(queue.id, 'completion')
    return Status.SUCCESS
  }

  #removeSubmissionQueue (queue: SubmissionQueue): Status {
    // A reset may have taken it, and all others, meanwhile.
    if (!queue.isOpen) return Status.ABORTED_SQ_DELETION
    this.#surroundings.queues.removeSubmissionQueue(queue)
    this.#surroundings.onDoorbellReset(queue.id, 'submission')
    return Status.SUCCESS
  }

  #checkRing (command: Command, isContiguous: boolean): Status {
    const size = CreateQueueDword10.QSIZE.get(command.cdw10) + 1
    if (size < 2 || size > this.#surroundings.limits.entries) return Status.INVALID_QUEUE_SIZE
    // CAP.CQR: "queues are required to be physically contiguous".
    if (!isContiguous) return Status.INVALID_FIELD
    if (offsetInPage(command.prp1, this.#surroundings.prps.pageBytes) !== 0) return Status.PRP_OFFSET_INVALID
    return Status.SUCCESS
  }
}

function packQueueCounts (submission: number, completion: number): number {
  return NumberOfQueues.NCQ.set(NumberOfQueues.NSQ.set(0, submission - 1), completion - 1)
}

/** The I/O queue that a delete command names. The admin queues, 0, are not among them. */
function ioQueue<Q> (command: Command, find: (id: number) => Q | undefined): Q | undefined {
  const id = CreateQueueDword10.QID.get(command.cdw10)
  return id === 0 ? undefined : find(id)
}
