import { assert, AssertionError, DmaFault, isPcikitError } from '@pcikit/core'
import type { Logger } from '@pcikit/core'
import type { AdminCommands } from './admin/admin-commands.js'
import type { Command } from './command.js'
import type { CommandPool } from './command-pool.js'
import type { ErrorLog } from './error-log.js'
import type { Health } from './health.js'
import { startingBlock } from './io/block-range.js'
import type { IoCommands } from './io/io-commands.js'
import type { LateChanges } from './late-changes.js'
import { CommandFlags } from './layouts/command.js'
import type { CompletionQueue } from './queues/completion-queue.js'
import type { SubmissionQueue } from './queues/submission-queue.js'
import { Status, statusField, StatusFlag } from './status.js'
import type { Outcome } from './status.js'
import type { TransferFaults } from './transfer-faults.js'

/** No fused operations and no SGLs: Identify says so. */
const UNSUPPORTED_FLAGS = CommandFlags.FUSE.mask | CommandFlags.PSDT.mask
const FAILURE_LOG_INTERVAL_MS = 1000

/** What the processor works with. */
export interface ProcessorParts {
  readonly pool: CommandPool
  readonly admin: AdminCommands
  readonly io: IoCommands
  readonly late: LateChanges
  readonly errors: ErrorLog
  readonly health: Health
  readonly logger: Logger
  /** Only where the fault policy is `fatal`. */
  readonly faults: TransferFaults | undefined
  /** A completion waits to be published. */
  onCompletion(queue: CompletionQueue): void
  /** A place in the completion queue was given up. */
  onRoom(queue: CompletionQueue): void
  /** An assertion failed: the state of the controller cannot be trusted. */
  onAssertion(error: AssertionError): void
}

/**
 * Executes commands and ends each of them exactly once.
 *
 * ```
 *   execute ──► held ──► active ──► complete: told to the host, the record is free
 *                          │
 *                          └──► late: told to the host (memory revoked) or to nobody (reset), without waiting
 *                                 for the back end ──► the back end answers: the record is free
 * ```
 */
export class CommandProcessor {
  readonly #parts: ProcessorParts
  #busy = 0
  #idleWaiters: (() => void)[] = []
  #failureLoggedAtMs = -Infinity

  constructor (parts: ProcessorParts) {
    this.#parts = parts
    parts.pool.onRevoke = command => this.#revoked(command)
  }

  /** Commands being executed, without parked and late ones. */
  get busy (): number {
    return this.#busy
  }

  /** Resolves when no command is being executed. */
  async whenIdle (): Promise<void> {
    if (this.#busy > 0) await new Promise<void>(resolve => this.#idleWaiters.push(resolve))
  }

  /** Executes a command that was just fetched. Never throws. */
  execute (command: Command): void {
    this.#busy++
    this.#parts.faults?.begin(command)
    const { late } = this.#parts
    if (!late.isEmpty && command.queue!.id !== 0 && late.hold(command)) return
    this.#begin(command)
  }

  #begin (command: Command): void {
    let outcome: Outcome | undefined
    try {
      outcome = this.#dispatch(command)
    } catch (error) {
      outcome = this.#statusOf(error, command)
    }
    if (typeof outcome === 'number') this.complete(command, outcome)
    else if (outcome === undefined) this.#park(command)
    else this.#completeLater(command, outcome)
  }

  /**
   * Ends a command. Of one whose queue is gone nothing is told. One that bus mastering was switched off under lost its
   * transfer, and ends with Data Transfer Error here; its completion waits in the queue until memory can be reached.
   */
  complete (command: Command, status: Status): void {
    assert(command.isActive, 'a command is completed once')
    const queue = command.queue!
    command.isActive = false
    if (command.lease.isOpen) command.lease.close()
    if (command.isLate) {
      this.#endLate(command)
      return
    }
    if (command.isParked) command.isParked = false
    else {
      this.#busy--
      queue.completionQueue.unreserve()
    }
    command.statusField = status === Status.SUCCESS ? 0 : this.#failed(command, status)
    if (queue.isOpen) this.#tell(command, queue)
    else this.#parts.pool.release(command)
    this.#leave(queue)
  }

  /**
   * After a reset, when no DMA can follow: waits no longer for the back ends to end the I/O commands of queues that are
   * gone. Nothing of them is told.
   */
  abandon (): void {
    for (const command of this.#parts.pool.records) {
      const queue = command.queue
      if (command.isActive && !command.isLate && queue?.isOpen === false && queue.id !== 0) this.#detach(command)
    }
  }

  /**
   * The memory of a command was taken away. Where only its back end is waited for it ends now, with a record of its own
   * for the completion.
   */
  #revoked (command: Command): void {
    if (!command.isActive || !command.isInBackEnd || command.isLate) return
    const queue = command.queue!
    if (queue.isOpen) {
      const notice = this.#parts.pool.take(queue)
      notice.cid = command.cid
      notice.statusField = this.#failed(command, Status.DATA_TRANSFER_ERROR)
      this.#tell(notice, queue)
    }
    this.#detach(command)
  }

  #tell (command: Command, queue: SubmissionQueue): void {
    queue.completionQueue.enqueue(command)
    this.#parts.pool.release(command)
    this.#parts.onCompletion(queue.completionQueue)
  }

  /** The command has ended but for its back end, which keeps the record and the lease. */
  #detach (command: Command): void {
    const queue = command.queue!
    command.isLate = true
    this.#parts.late.add(command)
    this.#busy--
    queue.completionQueue.unreserve()
    this.#leave(queue)
  }

  /** The back end is done with a command that ended before. */
  #endLate (command: Command): void {
    command.isLate = false
    const next = this.#parts.late.end(command)
    this.#parts.pool.release(command)
    for (const held of next) this.#begin(held)
  }

  #leave (queue: SubmissionQueue): void {
    queue.inFlight--
    if (queue.inFlight === 0 && queue.onIdle !== undefined) this.#told(queue)
    if (this.#busy === 0 && this.#idleWaiters.length > 0) this.#idle()
  }

  #dispatch (command: Command): Outcome | undefined {
    if ((command.flags & UNSUPPORTED_FLAGS) !== 0) return Status.INVALID_FIELD
    return command.queue!.id === 0 ? this.#parts.admin.execute(command) : this.#parts.io.execute(command)
  }

  /** The command may stay for as long as the controller runs, so it must not hold a place in the completion queue. */
  #park (command: Command): void {
    command.isParked = true
    this.#busy--
    const completionQueue = command.queue!.completionQueue
    completionQueue.unreserve()
    this.#parts.onRoom(completionQueue)
  }

  #completeLater (command: Command, outcome: Promise<Status>): void {
    void outcome.catch((error: unknown) => this.#statusOf(error, command)).then(status => {
      try {
        this.complete(command, status)
      } catch (error) {
        this.#statusOf(error, command)
      }
    })
  }

  #failed (command: Command, status: Status): number {
    if (status === Status.ABORT_REQUESTED || status === Status.ABORTED_SQ_DELETION) return statusField(status)
    const field = statusField(status) | StatusFlag.MORE
    this.#parts.errors.recordCommand(command, field, command.queue!.id === 0 ? 0 : startingBlock(command))
    if (status === Status.DATA_TRANSFER_ERROR) {
      this.#logFault(command)
      this.#parts.faults?.failed(command)
    }
    return field
  }

  #logFault (command: Command): void {
    const { fault, faultIova } = command.lease
    if (fault === DmaFault.NONE) return
    this.#parts.logger.debug(
      { cid: command.cid, opcode: command.opcode, iova: `0x${faultIova.toString(16)}`, fault },
      'the data of a command could not be reached'
    )
  }

  /**
   * A refused or failed request of a back end becomes a status here, and nowhere else. One whose memory was taken away
   * fails in whatever way the back end notices, which says nothing about the media.
   */
  #statusOf (error: unknown, command: Command): Status {
    if (isPcikitError(error, 'PCIKIT_BLOCK_OUT_OF_RANGE')) return Status.LBA_OUT_OF_RANGE
    if (isPcikitError(error, 'PCIKIT_BLOCK_READ_ONLY')) return Status.NAMESPACE_WRITE_PROTECTED
    if (error instanceof AssertionError) this.#parts.onAssertion(error)
    else if (command.lease.isOpen && command.lease.fault !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
    else {
      this.#parts.health.mediaErrors++
      this.#logFailure(error)
    }
    return Status.INTERNAL_ERROR
  }

  /** A disk that is full fails every write: one line a second says so. */
  #logFailure (error: unknown): void {
    const nowMs = performance.now()
    if (nowMs - this.#failureLoggedAtMs < FAILURE_LOG_INTERVAL_MS) return
    this.#failureLoggedAtMs = nowMs
    const failures = this.#parts.health.mediaErrors
    this.#parts.logger.error({ err: error, failures }, 'a command failed in its back end')
  }

  #told (queue: { onIdle: (() => void) | undefined }): void {
    const onIdle = queue.onIdle
    queue.onIdle = undefined
    onIdle?.()
  }

  #idle (): void {
    const waiters = this.#idleWaiters
    this.#idleWaiters = []
    for (const resolve of waiters) resolve()
  }
}
