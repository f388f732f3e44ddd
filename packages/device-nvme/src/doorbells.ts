import type { InterruptModeration } from '@pcikit/core'
import type { AsyncEvents } from './async-events.js'
import type { InterruptGate } from './interrupt-gate.js'
import { AsyncEventType, ErrorEvent } from './layouts/async-event.js'
import { LogPage } from './layouts/log-pages.js'
import type { CompletionQueue } from './queues/completion-queue.js'
import type { QueueScheduler } from './queues/queue-scheduler.js'
import type { QueueSet } from './queues/queue-set.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/**
 * Bits of a doorbell that count. [NVMe-PCIe] "Submission Queue y Tail Doorbell", "Completion Queue y Head Doorbell".
 */
const VALUE_MASK = 0xffff

/** Who hears of doorbells. */
export interface DoorbellListeners {
  readonly queues: QueueSet
  readonly scheduler: QueueScheduler
  readonly interrupts: InterruptGate
  readonly moderation: InterruptModeration<CompletionQueue>
  readonly events: AsyncEvents
}

/** Takes doorbells, however they were rung. A doorbell that makes no sense is ignored and told as an event. */
export class Doorbells {
  readonly #queues: QueueSet
  readonly #scheduler: QueueScheduler
  readonly #interrupts: InterruptGate
  readonly #moderation: InterruptModeration<CompletionQueue>
  readonly #events: AsyncEvents

  constructor ({ queues, scheduler, interrupts, moderation, events }: DoorbellListeners) {
    this.#queues = queues
    this.#scheduler = scheduler
    this.#interrupts = interrupts
    this.#moderation = moderation
    this.#events = events
  }

  /** A doorbell by its number: 2y is the tail of submission queue y, 2y + 1 the head of completion queue y. */
  ring (number: number, value: number): void {
    const id = number >>> 1
    if ((number & 1) === 0) {
      const queue = this.#queues.submissionQueue(id)
      if (queue === undefined) this.#invalid(ErrorEvent.INVALID_DOORBELL_REGISTER)
      else this.ringTail(queue, value)
    } else {
      const queue = this.#queues.completionQueue(id)
      if (queue === undefined) this.#invalid(ErrorEvent.INVALID_DOORBELL_REGISTER)
      else this.ringHead(queue, value)
    }
  }

  ringTail (queue: SubmissionQueue, value: number): void {
    this.#scheduler.resume()
    if (queue.ring(value & VALUE_MASK)) this.#scheduler.wake(queue)
    else this.#invalid(ErrorEvent.INVALID_DOORBELL_VALUE)
  }

  ringHead (queue: CompletionQueue, value: number): void {
    this.#scheduler.resume()
    const { used } = queue
    if (!queue.consume(value & VALUE_MASK)) {
      this.#invalid(ErrorEvent.INVALID_DOORBELL_VALUE)
      return
    }
    this.#interrupts.consumed(queue)
    this.#moderation.consumed(queue, used - queue.used)
    this.#scheduler.roomMade(queue)
  }

  #invalid (information: number): void {
    this.#events.raise(AsyncEventType.ERROR, information, LogPage.ERROR_INFORMATION)
  }
}
