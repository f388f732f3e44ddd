import { vendorSpecific } from '@pcikit/pci'
import type { Capability } from '@pcikit/pci'
import { struct, u32, u8 } from '@pcikit/wire'
import {
  COMMON_CONFIG_AT,
  DEVICE_CONFIG_AT,
  ISR_AT,
  NOTIFY_AT,
  NOTIFY_STRIDE,
  SHARED_MEMORY_BAR,
  STRUCTURES_BAR
} from './bar-layout.js'
import { CommonConfigLayout } from './common-config.js'
import type { DevicePlan } from './device-plan.js'

/** What a capability is about: cfg_type. [virtio] "Virtio Structure PCI Capabilities". */
const StructureType = Object.freeze(
  {
    COMMON_CFG: 1,
    NOTIFY_CFG: 2,
    ISR_CFG: 3,
    DEVICE_CFG: 4,
    PCI_CFG: 5,
    SHARED_MEMORY_CFG: 8
  } as const
)

/** struct virtio_pci_cap. [virtio] "Virtio Structure PCI Capabilities". */
const CapabilityLayout = struct('virtio_pci_cap', 16, {
  cfgType: u8(3),
  bar: u8(4),
  id: u8(5),
  offset: u32(8),
  length: u32(12)
})
/** struct virtio_pci_notify_cap. */
const NotifyCapabilityLayout = struct('virtio_pci_notify_cap', 20, { notifyOffMultiplier: u32(16) })
/** struct virtio_pci_cap64. */
const CapabilityLayout64 = struct('virtio_pci_cap64', 24, { offsetHigh: u32(16), lengthHigh: u32(20) })
/** struct virtio_pci_cfg_cap. */
const WindowLayout = struct('virtio_pci_cfg_cap', 20, { pciCfgData: u32(16) })

/** Where the contents of a vendor-specific capability start. */
const CONTENTS_AT = 3
const ISR_BYTES = 1
const WORD = 0x1_0000_0000

/** The words of the PCI configuration access capability, by their names in the configuration space. */
export const WindowRegister = Object.freeze(
  {
    BAR: 'VIRTIO_WINDOW.WORD_4',
    OFFSET: 'VIRTIO_WINDOW.WORD_8',
    LENGTH: 'VIRTIO_WINDOW.WORD_12',
    DATA: 'VIRTIO_WINDOW.WORD_16'
  } as const
)

/** Where one structure is. */
interface Placement {
  readonly type: number
  readonly bar: number
  readonly offset: number
  readonly length: number
  readonly id?: number
}

/** The vendor-specific capabilities of a device, in the order of the list. */
export function virtioCapabilities ({ description, sharedMemory }: DevicePlan): Capability[] {
  const { queues, config } = description
  const at = (type: number, offset: number, length: number): Placement => ({
    type,
    bar: STRUCTURES_BAR,
    offset,
    length
  })
  const notify = encode(at(StructureType.NOTIFY_CFG, NOTIFY_AT, Math.max(1, queues.length) * NOTIFY_STRIDE), 20)
  NotifyCapabilityLayout.notifyOffMultiplier.set(notify, 0, NOTIFY_STRIDE)
  return [
    capability(
      'VIRTIO_COMMON',
      encode(at(StructureType.COMMON_CFG, COMMON_CONFIG_AT, CommonConfigLayout.byteLength), CapabilityLayout.byteLength)
    ),
    capability('VIRTIO_NOTIFY', notify),
    capability('VIRTIO_ISR', encode(at(StructureType.ISR_CFG, ISR_AT, ISR_BYTES), CapabilityLayout.byteLength)),
    ...config === undefined ? [] : [
      capability(
        'VIRTIO_DEVICE',
        encode(at(StructureType.DEVICE_CFG, DEVICE_CONFIG_AT, config.view.byteLength), CapabilityLayout.byteLength)
      )
    ],
    ...sharedMemory === undefined ? [] : [sharedMemoryCapability(sharedMemory.id, sharedMemory.byteLength)],
    windowCapability()
  ]
}

/** [virtio] "Shared memory capability". */
function sharedMemoryCapability (id: number, byteLength: number): Capability {
  const placement = { type: StructureType.SHARED_MEMORY_CFG, bar: SHARED_MEMORY_BAR, offset: 0, length: byteLength, id }
  const view = encode(placement, CapabilityLayout64.byteLength)
  CapabilityLayout64.lengthHigh.set(view, 0, Math.floor(byteLength / WORD))
  return capability('VIRTIO_SHARED_MEMORY', view)
}

/** [virtio] "PCI configuration access capability": BAR, offset, length and data are for the driver to write. */
function windowCapability (): Capability {
  const view = encode({ type: StructureType.PCI_CFG, bar: 0, offset: 0, length: 0 }, WindowLayout.byteLength)
  const writable = encode({ type: 0, bar: 0xff, offset: 0xffff_ffff, length: 0xffff_ffff }, WindowLayout.byteLength)
  WindowLayout.pciCfgData.set(writable, 0, 0xffff_ffff)
  return vendorSpecific(contentsOf(view), { name: 'VIRTIO_WINDOW', writable: contentsOf(writable) })
}

function encode ({ type, bar, offset, length, id = 0 }: Placement, byteLength: number): DataView {
  const view = new DataView(new ArrayBuffer(byteLength))
  CapabilityLayout.cfgType.set(view, 0, type)
  CapabilityLayout.bar.set(view, 0, bar)
  CapabilityLayout.id.set(view, 0, id)
  CapabilityLayout.offset.set(view, 0, offset)
  CapabilityLayout.length.set(view, 0, length % WORD)
  return view
}

function capability (name: string, view: DataView): Capability {
  return vendorSpecific(contentsOf(view), { name })
}

function contentsOf (view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, CONTENTS_AT)
}
