/**
 * Virtio over PCI as a driver needs it, written from the specification's tables and shared with no device: a wrong
 * offset cannot agree with itself.
 */
import { bits, struct, u16, u32, u64, u8 } from '@pcikit/wire'

/** [virtio] "PCI Device Discovery": the vendor, and what is added to the device type to get the device ID. */
export const VIRTIO_VENDOR_ID = 0x1af4
export const VIRTIO_DEVICE_ID_BASE = 0x1040

/** cfg_type. [virtio] "Virtio Structure PCI Capabilities". */
export const VirtioStructureType = Object.freeze(
  { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4, PCI_CFG: 5, SHARED_MEMORY: 8, VENDOR: 9 } as const
)

/** struct virtio_pci_cap. [virtio] "Virtio Structure PCI Capabilities". */
export const StructureCapability = struct('StructureCapability', 16, {
  capVndr: u8(0),
  capNext: u8(1),
  capLen: u8(2),
  cfgType: u8(3),
  bar: u8(4),
  id: u8(5),
  offset: u32(8),
  length: u32(12)
})

/** What follows struct virtio_pci_cap, from its start: of the notify, shared memory and access capabilities. */
export const CapabilityExtra = Object.freeze(
  { NOTIFY_OFF_MULTIPLIER: 16, OFFSET_HI: 16, LENGTH_HI: 20, PCI_CFG_DATA: 16 } as const
)

/** struct virtio_pci_common_cfg. [virtio] "Common configuration structure layout". */
export const CommonCfg = struct('CommonCfg', 64, {
  deviceFeatureSelect: u32(0),
  deviceFeature: u32(4),
  driverFeatureSelect: u32(8),
  driverFeature: u32(12),
  configMsixVector: u16(16),
  numQueues: u16(18),
  deviceStatus: u8(20),
  configGeneration: u8(21),
  queueSelect: u16(22),
  queueSize: u16(24),
  queueMsixVector: u16(26),
  queueEnable: u16(28),
  queueNotifyOff: u16(30),
  queueDesc: u64(32),
  queueDriver: u64(40),
  queueDevice: u64(48),
  queueNotifyData: u16(56),
  queueReset: u16(58),
  adminQueueIndex: u16(60),
  adminQueueNum: u16(62)
})

/** VIRTIO_MSI_NO_VECTOR. [virtio] "MSI-X Vector Configuration". */
export const NO_VECTOR = 0xffff

/** [virtio] "Device Status Field". */
export const VirtioStatus = Object.freeze(
  { ACKNOWLEDGE: 1, DRIVER: 2, DRIVER_OK: 4, FEATURES_OK: 8, DEVICE_NEEDS_RESET: 64, FAILED: 128 } as const
)

/** [virtio] "ISR status capability". */
export const VirtioIsr = Object.freeze({ QUEUE: bits(0), CONFIGURATION: bits(1) })

/** Bits that no device type owns. [virtio] "Reserved Feature Bits". */
export const VirtioFeature = Object.freeze(
  {
    INDIRECT_DESC: 28,
    EVENT_IDX: 29,
    VERSION_1: 32,
    ACCESS_PLATFORM: 33,
    RING_PACKED: 34,
    IN_ORDER: 35,
    ORDER_PLATFORM: 36,
    SR_IOV: 37,
    NOTIFICATION_DATA: 38,
    NOTIF_CONFIG_DATA: 39,
    RING_RESET: 40,
    ADMIN_VQ: 41
  } as const
)

/** A descriptor of either ring: bytes 12 to 15 are its own. */
export const DESCRIPTOR_BYTES = 16

/** struct virtq_desc. [virtio] "The Virtqueue Descriptor Table". */
export const SplitDescriptor = struct('SplitDescriptor', DESCRIPTOR_BYTES, {
  addr: u64(0),
  len: u32(8),
  flags: u16(12),
  next: u16(14)
})

/** struct pvirtq_desc. [virtio] "The Virtqueue Descriptor Format". */
export const PackedDescriptor = struct('PackedDescriptor', DESCRIPTOR_BYTES, {
  addr: u64(0),
  len: u32(8),
  id: u16(12),
  flags: u16(14)
})

/** Flags of a descriptor; the last two are of packed rings only. */
export const DescriptorFlag = Object.freeze(
  { NEXT: 1, WRITE: 2, INDIRECT: 4, AVAIL: 0x80, USED: 0x8000 } as const
)

/** struct virtq_avail: where its index and its entries are. [virtio] "The Virtqueue Available Ring". */
export const AvailableRing = Object.freeze({ FLAGS: 0, IDX: 2, RING: 4, ENTRY_BYTES: 2, NO_INTERRUPT: 1 } as const)

/** struct virtq_used. [virtio] "The Virtqueue Used Ring". */
export const UsedRing = Object.freeze({ FLAGS: 0, IDX: 2, RING: 4, ENTRY_BYTES: 8, NO_NOTIFY: 1 } as const)

/** struct pvirtq_event_suppress. [virtio] "Event Suppression Structure Format". */
export const EVENT_SUPPRESSION_BYTES = 4

/** RING_EVENT_FLAGS. [virtio] "Driver and Device Event Suppression". */
export const EventFlag = Object.freeze({ ENABLE: 0, DISABLE: 1, DESC: 2 } as const)
