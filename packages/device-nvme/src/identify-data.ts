import { ASYNC_EVENT_REQUESTS } from './async-events.js'
import { ERROR_LOG_ENTRIES } from './error-log.js'
import { CRITICAL_TEMPERATURE_KELVIN, WARNING_TEMPERATURE_KELVIN } from './health.js'
import { KEEP_ALIVE_GRANULARITY_MS } from './keep-alive.js'
import {
  IDENTIFY_BYTES,
  IdentifyControllerLayout,
  IdentifyNamespaceLayout,
  NamespaceDescriptorLayout,
  NamespaceIdType
} from './layouts/identify.js'
import type { Namespace, Namespaces } from './namespace.js'
import { CONTROLLER_VERSION, PAGE_BYTES_MIN } from './registers.js'

/** Who a controller says it is. */
export interface ControllerIdentity {
  readonly vendorId: number
  readonly subsystemVendorId: number
  readonly serial: string
  readonly model: string
  readonly firmware: string
  /** Names the NVM subsystem; hosts take two controllers of the same name for one with two ports. */
  readonly subsystemNqn: string
  readonly controllerId: number
  readonly transferBytesMax: number
  readonly hasVolatileCache: boolean
  readonly supportsDiscard: boolean
  /** Doorbell Buffer Config is offered. */
  readonly hasDoorbellBuffers: boolean
}

const COMMAND_BYTES_LOG2 = 6
const COMPLETION_BYTES_LOG2 = 4
/** CNTRLTYPE: I/O controller. */
const IO_CONTROLLER = 1
/** OAES bit 8: Namespace Attribute Notices. */
const NAMESPACE_NOTICES = 1 << 8
/** OACS bit 8: Doorbell Buffer Config. */
const DOORBELL_BUFFERS = 1 << 8
/** FRMW: one slot, and it is read-only. */
const ONE_READ_ONLY_SLOT = 0x03
/** LPA: Commands Supported and Effects (bit 1), extended data with offsets (bit 2). */
const LOG_ATTRIBUTES = 0x06
/** ONCS. */
const Oncs = Object.freeze({ COMPARE: 1, DATASET_MANAGEMENT: 4, WRITE_ZEROES: 8, SAVE_SELECT: 0x10, TIMESTAMP: 0x40 })
/** VWC bits 2:1: Flush with NSID FFFFFFFFh flushes every namespace. */
const FLUSH_BROADCAST = 0x06
/** Abort commands at once, 0's based. They end at once, so any number does. */
const ABORT_LIMIT = 3
/** RAB, the recommended arbitration burst, as a power of two: what the scheduler takes from one queue. */
const ARBITRATION_BURST_LOG2 = 5
/** NIDT, NIDL and 16 bytes. */
const UUID_BYTES = 16
/** DLFEAT: deallocated blocks read as zeroes (001b), and Write Zeroes may deallocate (bit 3). */
const READ_ZEROES = 0x01
const WRITE_ZEROES_DEALLOCATES = 0x08

/** [NVMe-Base] "Identify Controller Data Structure". */
export function identifyController (identity: ControllerIdentity, namespaces: Namespaces): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES)
  const view = new DataView(data.buffer)
  const layout = IdentifyControllerLayout
  layout.vid.set(view, 0, identity.vendorId)
  layout.ssvid.set(view, 0, identity.subsystemVendorId)
  layout.sn.set(view, 0, identity.serial)
  layout.mn.set(view, 0, identity.model)
  layout.fr.set(view, 0, identity.firmware)
  layout.rab.set(view, 0, ARBITRATION_BURST_LOG2)
  layout.mdts.set(view, 0, Math.log2(identity.transferBytesMax / PAGE_BYTES_MIN))
  layout.cntlid.set(view, 0, identity.controllerId)
  layout.ver.set(view, 0, CONTROLLER_VERSION)
  layout.oaes.set(view, 0, NAMESPACE_NOTICES)
  layout.cntrltype.set(view, 0, IO_CONTROLLER)
  layout.oacs.set(view, 0, identity.hasDoorbellBuffers ? DOORBELL_BUFFERS : 0)
  layout.acl.set(view, 0, ABORT_LIMIT)
  layout.aerl.set(view, 0, ASYNC_EVENT_REQUESTS - 1)
  layout.frmw.set(view, 0, ONE_READ_ONLY_SLOT)
  layout.lpa.set(view, 0, LOG_ATTRIBUTES)
  layout.elpe.set(view, 0, ERROR_LOG_ENTRIES - 1)
  layout.wctemp.set(view, 0, WARNING_TEMPERATURE_KELVIN)
  layout.cctemp.set(view, 0, CRITICAL_TEMPERATURE_KELVIN)
  layout.kas.set(view, 0, KEEP_ALIVE_GRANULARITY_MS / 100)
  layout.sqes.set(view, 0, COMMAND_BYTES_LOG2 << 4 | COMMAND_BYTES_LOG2)
  layout.cqes.set(view, 0, COMPLETION_BYTES_LOG2 << 4 | COMPLETION_BYTES_LOG2)
  layout.nn.set(view, 0, namespaces.maximum)
  const discard = identity.supportsDiscard ? Oncs.DATASET_MANAGEMENT : 0
  layout.oncs.set(view, 0, Oncs.COMPARE | Oncs.WRITE_ZEROES | Oncs.SAVE_SELECT | Oncs.TIMESTAMP | discard)
  layout.vwc.set(view, 0, FLUSH_BROADCAST | (identity.hasVolatileCache ? 1 : 0))
  layout.subnqn.set(view, 0, new TextEncoder().encode(identity.subsystemNqn))
  return data
}

/** [NVMe-NVM] "Identify Namespace data structure". */
export function identifyNamespace (namespace: Namespace): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES)
  const view = new DataView(data.buffer)
  const layout = IdentifyNamespaceLayout
  layout.nsze.set(view, 0, namespace.blockCount)
  layout.ncap.set(view, 0, namespace.blockCount)
  layout.nuse.set(view, 0, namespace.blockCount)
  layout.dlfeat.set(view, 0, READ_ZEROES | (namespace.backend.supportsDiscard ? WRITE_ZEROES_DEALLOCATES : 0))
  layout.nsattr.set(view, 0, namespace.readOnly ? 1 : 0)
  layout.lbaf0Lbads.set(view, 0, Math.log2(namespace.blockBytes))
  return data
}

/** [NVMe-Base] "Namespace Identification Descriptor list". */
export function namespaceDescriptors (namespace: Namespace): Uint8Array {
  const data = new Uint8Array(IDENTIFY_BYTES)
  const view = new DataView(data.buffer)
  NamespaceDescriptorLayout.nidt.set(view, 0, NamespaceIdType.UUID)
  NamespaceDescriptorLayout.nidl.set(view, 0, UUID_BYTES)
  data.set(namespace.uuid, NamespaceDescriptorLayout.byteLength)
  return data
}

/** Identify Controller for the NVM Command Set: no limits besides MDTS and 256 ranges. */
export function identifyNvmController (): Uint8Array {
  return new Uint8Array(IDENTIFY_BYTES)
}
