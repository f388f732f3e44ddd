import type { RegisterValues } from '@pcikit/wire'
import type { AdminState } from './admin/admin-commands.js'
import type { AsyncEventsState } from './async-events.js'
import type { ControllerParts } from './controller-parts.js'
import type { HealthState } from './health.js'
import { CompletionQueue } from './queues/completion-queue.js'
import type { CompletionQueueState } from './queues/completion-queue.js'
import { SubmissionQueue } from './queues/submission-queue.js'
import type { SubmissionQueueState } from './queues/submission-queue.js'
import type { ShadowState } from './shadow-doorbells.js'

/** Counts up when what is saved becomes something that code of before or after cannot take over. */
const FORMAT = 1

/** Where a controller is while no command is being executed: plain data. See `Device.save`. */
export interface ControllerState {
  readonly format: typeof FORMAT
  readonly registers: RegisterValues
  /** INTMS. */
  readonly interruptMask: number
  readonly completionQueues: readonly CompletionQueueState[]
  readonly submissionQueues: readonly SubmissionQueueState[]
  readonly shadow: ShadowState | undefined
  readonly events: AsyncEventsState
  readonly admin: AdminState
  readonly health: HealthState
}

/** Where a controller is. Nothing may be under way. */
export function stateOf (registers: RegisterValues, parts: ControllerParts): ControllerState {
  const { queues, interrupts, shadow, events, admin, health } = parts
  return {
    format: FORMAT,
    registers,
    interruptMask: interrupts.mask,
    completionQueues: queues.completionQueues.map(queue => queue.save()),
    submissionQueues: queues.submissionQueues.map(queue => queue.save()),
    shadow: shadow.save(),
    events: events.save(),
    admin: admin.save(),
    health: health.save()
  }
}

/** Whether this code can go on from a state. */
export function isControllerState (state: unknown): state is ControllerState {
  return typeof state === 'object' && state !== null && (state as { readonly format?: unknown }).format === FORMAT
}

/**
 * Puts everything but the registers where it was, into parts that have no queue yet. Memory may be away: what waits for
 * it looks again when it comes. The host gets an interrupt for whatever it has not consumed, as one may have been held.
 */
export function restoreParts (parts: ControllerParts, state: ControllerState): void {
  const { queues, scheduler, interrupts, shadow, events, admin, health, pool } = parts
  const dma = parts.memory
  health.restore(state.health)
  admin.restore(state.admin)
  interrupts.setMask(state.interruptMask)
  for (const saved of state.completionQueues) {
    const { id, iova, size, vector, hasInterrupts } = saved
    const queue = new CompletionQueue(dma, { id, iova, size }, { vector, isEnabled: hasInterrupts })
    queues.addCompletionQueue(queue)
  }
  for (const { id, iova, size, completionId, head, tail, doorbell } of state.submissionQueues) {
    const completionQueue = queues.completionQueue(completionId)
    if (completionQueue === undefined) throw new Error(`Submission queue ${id} has no completion queue.`)
    const queue = new SubmissionQueue(dma, { id, iova, size }, completionQueue)
    queue.head = head
    queue.tail = tail
    queue.doorbell.restore(doorbell)
    queues.addSubmissionQueue(queue)
  }
  shadow.restore(state.shadow)
  for (const saved of state.completionQueues) {
    const queue = queues.completionQueue(saved.id)!
    queue.restore(saved, id => queues.submissionQueue(id))
    if (queue.hasWaiting) scheduler.completionReady(queue)
    if (queue.used > 0) interrupts.notify(queue)
  }
  const adminQueue = queues.submissionQueue(0)
  if (adminQueue !== undefined) events.restore(state.events, cid => pool.park(adminQueue, cid))
  for (const queue of queues.submissionQueues) scheduler.wake(queue)
}
