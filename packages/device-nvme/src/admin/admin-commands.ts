import type { AsyncEvents } from '../async-events.js'
import type { ChangedNamespaces } from '../changed-namespaces.js'
import type { Command } from '../command.js'
import type { KeepAlive } from '../keep-alive.js'
import type { LateChanges } from '../late-changes.js'
import { AbortDword10 } from '../layouts/command.js'
import { AdminOpcode } from '../opcodes.js'
import type { QueueSet } from '../queues/queue-set.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import type { DoorbellBufferCommand } from './doorbell-buffer-command.js'
import type { FeatureCommands, FeatureCommandsState } from './feature-commands.js'
import type { IdentifyCommands } from './identify-commands.js'
import type { LogPageCommands } from './log-page-commands.js'
import type { QueueCommands } from './queue-commands.js'

/** What hosts set by admin commands. */
export interface AdminState {
  readonly features: FeatureCommandsState
  readonly granted: readonly [submission: number, completion: number]
  readonly changed: readonly number[]
}

/** The families of admin commands. */
export interface AdminFamilies {
  readonly identify: IdentifyCommands
  readonly features: FeatureCommands
  readonly logPages: LogPageCommands
  readonly queueCommands: QueueCommands
  readonly events: AsyncEvents
  readonly changed: ChangedNamespaces
  readonly keepAlive: KeepAlive
  readonly queues: QueueSet
  /** Undefined where the controller does not offer it. */
  readonly doorbellBuffer: DoorbellBufferCommand | undefined
  readonly late: LateChanges
}

/** The Admin Command Set. [NVMe-Base] "Admin Command Set". */
export class AdminCommands {
  readonly #families: AdminFamilies

  constructor (families: AdminFamilies) {
    this.#families = families
  }

  /** Undefined: the command was parked, and ends when there is something to tell. */
  execute (command: Command): Outcome | undefined {
    const { identify, features, logPages, queueCommands, events, keepAlive } = this.#families
    switch (command.opcode) {
      case AdminOpcode.IDENTIFY:
        return identify.execute(command)
      case AdminOpcode.GET_LOG_PAGE:
        return logPages.get(command)
      case AdminOpcode.GET_FEATURES:
        return features.get(command)
      case AdminOpcode.SET_FEATURES:
        return features.set(command)
      case AdminOpcode.CREATE_IO_CQ:
        return queueCommands.createCompletionQueue(command)
      case AdminOpcode.CREATE_IO_SQ:
        return queueCommands.createSubmissionQueue(command)
      case AdminOpcode.DELETE_IO_CQ:
        return queueCommands.deleteCompletionQueue(command)
      case AdminOpcode.DELETE_IO_SQ:
        return queueCommands.deleteSubmissionQueue(command)
      case AdminOpcode.ASYNC_EVENT_REQUEST:
        return events.request(command)
      case AdminOpcode.ABORT:
        return this.#abort(command)
      case AdminOpcode.KEEP_ALIVE:
        keepAlive.restart()
        return Status.SUCCESS
      case AdminOpcode.DOORBELL_BUFFER_CONFIG:
        return this.#families.doorbellBuffer?.execute(command) ?? Status.INVALID_OPCODE
      default:
        return Status.INVALID_OPCODE
    }
  }

  /** What Identify says about a namespace is not what it was. */
  namespaceChanged (nsid: number): void {
    this.#families.changed.add(nsid)
  }

  save (): AdminState {
    const { features, queueCommands, changed } = this.#families
    return { features: features.save(), granted: queueCommands.save(), changed: changed.save() }
  }

  restore ({ features, granted, changed }: AdminState): void {
    this.#families.features.restore(features)
    this.#families.queueCommands.grant(...granted)
    this.#families.changed.restore(changed)
  }

  /** Gives what hosts set its defaults. */
  reset (): void {
    this.#families.changed.clear()
    this.#families.features.reset()
    this.#families.queueCommands.reset()
  }

  /**
   * Only what waits for an event, or for a late change of its blocks, can be aborted: what a back end works on is best
   * left to end. Bit 0 of the result says "not aborted". [NVMe-Base] "Abort command".
   */
  #abort (command: Command): Status {
    const queueId = AbortDword10.SQID.get(command.cdw10)
    if (this.#families.queues.submissionQueue(queueId) === undefined) return Status.INVALID_FIELD
    const cid = AbortDword10.CID.get(command.cdw10)
    const isAborted = queueId === 0 ? this.#families.events.abort(cid) : this.#families.late.abort(queueId, cid)
    command.result = isAborted ? 0 : 1
    return Status.SUCCESS
  }
}
