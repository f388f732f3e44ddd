import type { Command } from '../command.js'
import { identifyController, identifyNamespace, identifyNvmController, namespaceDescriptors } from '../identify-data.js'
import type { ControllerIdentity } from '../identify-data.js'
import { IdentifyDwords } from '../layouts/command.js'
import { Cns, IDENTIFY_BYTES } from '../layouts/identify.js'
import type { Namespaces } from '../namespace.js'
import { NSID_ALL } from '../opcodes.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import type { DataTransfer } from '../transfer.js'

/** The NVM Command Set. [NVMe-Base] "I/O Command Sets": Command Set Identifier. */
const CSI_NVM = 0
const LIST_ENTRIES_MAX = IDENTIFY_BYTES / 4
/** Larger NSIDs can have none behind them in a list. [NVMe-Base] "Active Namespace ID list". */
const LIST_NSID_MAX = 0xffff_fffd

/** Identify. [NVMe-Base] "Identify command". */
export class IdentifyCommands {
  readonly #identity: ControllerIdentity
  readonly #namespaces: Namespaces
  readonly #transfer: DataTransfer

  constructor (identity: ControllerIdentity, namespaces: Namespaces, transfer: DataTransfer) {
    this.#identity = identity
    this.#namespaces = namespaces
    this.#transfer = transfer
  }

  execute (command: Command): Outcome {
    const data = this.#build(command)
    return typeof data === 'number' ? data : this.#transfer.toHost(command, data, IDENTIFY_BYTES)
  }

  #build (command: Command): Uint8Array | Status {
    const cns = IdentifyDwords.CNS.get(command.cdw10)
    const csi = IdentifyDwords.CSI.get(command.cdw11)
    switch (cns) {
      case Cns.CONTROLLER:
        return identifyController(this.#identity, this.#namespaces)
      case Cns.NAMESPACE:
      case Cns.ALLOCATED_NAMESPACE:
        return this.#namespace(command.nsid)
      case Cns.NAMESPACE_DESCRIPTORS:
        return this.#descriptors(command.nsid)
      case Cns.ACTIVE_NAMESPACES:
      case Cns.ALLOCATED_NAMESPACES:
        return this.#list(command.nsid)
      case Cns.IO_COMMAND_SET_ACTIVE_NAMESPACES:
        return csi === CSI_NVM ? this.#list(command.nsid) : Status.INVALID_FIELD
      case Cns.IO_COMMAND_SET_NAMESPACE:
        return csi === CSI_NVM ? this.#nvmNamespace(command.nsid) : Status.INVALID_FIELD
      case Cns.IO_COMMAND_SET_CONTROLLER:
        return csi === CSI_NVM ? identifyNvmController() : Status.INVALID_FIELD
      case Cns.ATTACHED_CONTROLLERS:
        return this.#attachedControllers(command)
      case Cns.CONTROLLERS:
        return this.#controllers(command)
      default:
        return Status.INVALID_FIELD
    }
  }

  /** "If the specified namespace is an inactive NSID, then the controller returns a zero filled data structure." */
  #namespace (nsid: number): Uint8Array | Status {
    if (!this.#namespaces.isValid(nsid)) return Status.INVALID_NAMESPACE
    const namespace = this.#namespaces.get(nsid)
    return namespace === undefined ? new Uint8Array(IDENTIFY_BYTES) : identifyNamespace(namespace)
  }

  #descriptors (nsid: number): Uint8Array | Status {
    const namespace = this.#namespaces.get(nsid)
    return namespace === undefined ? Status.INVALID_NAMESPACE : namespaceDescriptors(namespace)
  }

  /** Nothing that the NVM Command Set adds applies to a namespace without protection information. */
  #nvmNamespace (nsid: number): Uint8Array | Status {
    return this.#namespaces.isValid(nsid) ? new Uint8Array(IDENTIFY_BYTES) : Status.INVALID_NAMESPACE
  }

  #list (after: number): Uint8Array | Status {
    if (after > LIST_NSID_MAX) return Status.INVALID_NAMESPACE
    const ids: number[] = []
    for (const { id } of this.#namespaces) if (id > after && ids.length < LIST_ENTRIES_MAX) ids.push(id)
    const list = new Uint8Array(IDENTIFY_BYTES)
    const view = new DataView(list.buffer)
    for (const [index, id] of ids.entries()) view.setUint32(index * 4, id, true)
    return list
  }

  #attachedControllers (command: Command): Uint8Array | Status {
    if (command.nsid === NSID_ALL || !this.#namespaces.isValid(command.nsid)) return Status.INVALID_NAMESPACE
    if (this.#namespaces.get(command.nsid) === undefined) return new Uint8Array(IDENTIFY_BYTES)
    return this.#controllers(command)
  }

  /** [NVMe-Base] "Controller List": a count, then the identifiers from CNTID on. */
  #controllers (command: Command): Uint8Array {
    const list = new Uint8Array(IDENTIFY_BYTES)
    if (IdentifyDwords.CNTID.get(command.cdw10) > this.#identity.controllerId) return list
    const view = new DataView(list.buffer)
    view.setUint16(0, 1, true)
    view.setUint16(2, this.#identity.controllerId, true)
    return list
  }
}
