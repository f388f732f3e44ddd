import type { Command } from '../command.js'
import type { Features, FeaturesState } from '../features.js'
import { FeaturesDword10 } from '../layouts/command.js'
import {
  Feature,
  FeatureCapabilities,
  FeatureSelect,
  HOST_BEHAVIOR_BYTES,
  NumberOfQueues,
  TIMESTAMP_BYTES
} from '../layouts/features.js'
import type { Namespaces } from '../namespace.js'
import { NSID_ALL } from '../opcodes.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { Timestamp } from '../timestamp.js'
import type { DataTransfer } from '../transfer.js'
import type { QueueCommands } from './queue-commands.js'

/** Every feature can be changed, and none saved. */
const CAPABILITIES = FeatureCapabilities.CHANGEABLE.mask
/** [NVMe-Base] "Number of Queues": "a value of FFFFh is not allowed", 0's based. */
const TOO_MANY_QUEUES = 0xffff

/** What hosts set, besides the number of queues. */
export interface FeatureCommandsState {
  readonly values: FeaturesState
  readonly timestamp: Uint8Array
  readonly hostBehavior: Uint8Array
}

/** Get Features and Set Features. [NVMe-Base] of the same titles. */
export class FeatureCommands {
  readonly #features: Features
  readonly #namespaces: Namespaces
  readonly #queues: QueueCommands
  readonly #transfer: DataTransfer
  readonly #timestamp = new Timestamp()
  readonly #hostBehavior = new Uint8Array(HOST_BEHAVIOR_BYTES)

  constructor (features: Features, namespaces: Namespaces, queues: QueueCommands, transfer: DataTransfer) {
    this.#features = features
    this.#namespaces = namespaces
    this.#queues = queues
    this.#transfer = transfer
  }

  save (): FeatureCommandsState {
    return {
      values: this.#features.save(),
      timestamp: this.#timestamp.toBytes(),
      hostBehavior: this.#hostBehavior.slice()
    }
  }

  restore ({ values, timestamp, hostBehavior }: FeatureCommandsState): void {
    this.#features.restore(values)
    this.#timestamp.restore(timestamp)
    this.#hostBehavior.set(hostBehavior)
  }

  get (command: Command): Outcome {
    const fid = FeaturesDword10.FID.get(command.cdw10)
    const select = FeaturesDword10.SEL.get(command.cdw10)
    if (select > FeatureSelect.SUPPORTED_CAPABILITIES) return Status.INVALID_FIELD
    if (command.nsid !== 0 && command.nsid !== NSID_ALL && !this.#namespaces.isValid(command.nsid)) {
      return Status.INVALID_NAMESPACE
    }
    const isCurrent = select === FeatureSelect.CURRENT
    if (select === FeatureSelect.SUPPORTED_CAPABILITIES) return this.#getCapabilities(command, fid)
    if (fid === Feature.NUMBER_OF_QUEUES) {
      command.result = isCurrent ? this.#queues.granted : this.#queues.available
      return Status.SUCCESS
    }
    if (fid === Feature.TIMESTAMP) {
      const timestamp = isCurrent ? this.#timestamp : new Timestamp()
      return this.#transfer.toHost(command, timestamp.toBytes())
    }
    if (fid === Feature.HOST_BEHAVIOR_SUPPORT) {
      return this.#transfer.toHost(command, isCurrent ? this.#hostBehavior : new Uint8Array(HOST_BEHAVIOR_BYTES))
    }
    const value = this.#features.read(fid, command.cdw11, !isCurrent)
    if (value === undefined) return Status.INVALID_FIELD
    command.result = value
    return Status.SUCCESS
  }

  set (command: Command): Outcome {
    const fid = FeaturesDword10.FID.get(command.cdw10)
    if (!this.#isKnown(fid)) return Status.INVALID_FIELD
    if (FeaturesDword10.SV.isSet(command.cdw10)) return Status.FEATURE_NOT_SAVEABLE
    if (command.nsid !== 0 && command.nsid !== NSID_ALL) {
      return this.#namespaces.isValid(command.nsid) ? Status.FEATURE_NOT_NAMESPACE_SPECIFIC : Status.INVALID_NAMESPACE
    }
    switch (fid) {
      case Feature.NUMBER_OF_QUEUES:
        return this.#setNumberOfQueues(command)
      case Feature.TIMESTAMP: {
        const data = new Uint8Array(TIMESTAMP_BYTES)
        return this.#transfer.fromHost(command, data, () => {
          this.#timestamp.set(data)
          return Status.SUCCESS
        })
      }
      case Feature.HOST_BEHAVIOR_SUPPORT: {
        const data = new Uint8Array(HOST_BEHAVIOR_BYTES)
        return this.#transfer.fromHost(command, data, () => {
          this.#hostBehavior.set(data)
          return Status.SUCCESS
        })
      }
      default:
        return this.#features.write(fid, command.cdw11)
    }
  }

  /** Gives every feature its default. */
  reset (): void {
    this.#features.reset()
    this.#timestamp.reset()
    this.#hostBehavior.fill(0)
  }

  #getCapabilities (command: Command, fid: number): Status {
    if (!this.#isKnown(fid)) return Status.INVALID_FIELD
    command.result = CAPABILITIES
    return Status.SUCCESS
  }

  #isKnown (fid: number): boolean {
    return fid === Feature.NUMBER_OF_QUEUES || fid === Feature.TIMESTAMP || fid === Feature.HOST_BEHAVIOR_SUPPORT ||
      this.#features.read(fid, 0, true) !== undefined
  }

  /**
   * [NVMe-Base] "Number of Queues": "shall only be issued during initialization prior to creation of any I/O" queue.
   */
  #setNumberOfQueues (command: Command): Status {
    const submission = NumberOfQueues.NSQ.get(command.cdw11)
    const completion = NumberOfQueues.NCQ.get(command.cdw11)
    if (submission === TOO_MANY_QUEUES || completion === TOO_MANY_QUEUES) return Status.INVALID_FIELD
    if (this.#queues.exist) return Status.COMMAND_SEQUENCE_ERROR
    this.#queues.grant(submission + 1, completion + 1)
    command.result = this.#queues.granted
    return Status.SUCCESS
  }
}
