/** Commands of the protocol. [vfio-user] "Commands". */
export const Command = Object.freeze(
  {
    VERSION: 1,
    DMA_MAP: 2,
    DMA_UNMAP: 3,
    DEVICE_GET_INFO: 4,
    DEVICE_GET_REGION_INFO: 5,
    DEVICE_GET_REGION_IO_FDS: 6,
    DEVICE_GET_IRQ_INFO: 7,
    DEVICE_SET_IRQS: 8,
    REGION_READ: 9,
    REGION_WRITE: 10,
    DMA_READ: 11,
    DMA_WRITE: 12,
    DEVICE_RESET: 13,
    REGION_WRITE_MULTI: 15,
    DEVICE_FEATURE: 16,
    MIG_DATA_READ: 17,
    MIG_DATA_WRITE: 18
  } as const
)
export type Command = (typeof Command)[keyof typeof Command]

/** Bits of the header's flags. [vfio-user] "Header". */
export const HeaderFlags = Object.freeze(
  { TYPE_MASK: 0xf, TYPE_COMMAND: 0, TYPE_REPLY: 1, NO_REPLY: 1 << 4, ERROR: 1 << 5 } as const
)

/** Bits of the flags of a DMA_MAP. [vfio-user] "VFIO_USER_DMA_MAP". */
export const DmaMapFlags = Object.freeze({ READABLE: 1, WRITEABLE: 2 } as const)

/** Bit 1 of a DMA_UNMAP asks for everything, with address and size zero. The specification calls the flags unused. */
export const DmaUnmapFlags = Object.freeze({ ALL: 2 } as const)

/** Bits of the flags of device information. [vfio-user] "VFIO_USER_DEVICE_GET_INFO". */
export const DeviceFlags = Object.freeze({ RESET: 1, PCI: 2 } as const)

/** Bits of the flags of region information. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const RegionFlags = Object.freeze({ READ: 1, WRITE: 2, MMAP: 4, CAPS: 8 } as const)

/** VFIO_REGION_INFO_CAP_SPARSE_MMAP, the capability that lists which parts of a region can be mapped. */
export const SPARSE_MMAP_CAPABILITY = 1

/** Kinds of descriptor that GET_REGION_IO_FDS hands out. */
export const IoFdType = Object.freeze({ IOEVENTFD: 0, IOREGIONFD: 1 } as const)

/** Bits of the flags of interrupt information. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const IrqInfoFlags = Object.freeze({ EVENTFD: 1, MASKABLE: 2, AUTOMASKED: 4, NORESIZE: 8 } as const)

/** Bits of the flags of SET_IRQS: one of the data kinds with one of the actions. */
export const IrqSetFlags = Object.freeze(
  {
    DATA_NONE: 1,
    DATA_BOOL: 2,
    DATA_EVENTFD: 4,
    ACTION_MASK: 8,
    ACTION_UNMASK: 16,
    ACTION_TRIGGER: 32
  } as const
)

/** Bits of the flags of DEVICE_FEATURE, above the feature's index in bits 15:0. */
export const FeatureFlags = Object.freeze({ GET: 1 << 16, SET: 1 << 17, PROBE: 1 << 18 } as const)

/** Features that DEVICE_FEATURE knows. [vfio-user] "Device Features". */
export const Feature = Object.freeze(
  { MIGRATION: 1, MIG_DEVICE_STATE: 2, DMA_LOGGING_START: 6, DMA_LOGGING_STOP: 7, DMA_LOGGING_REPORT: 8 } as const
)

/** The name of a command, for messages; its number where it has none. */
export function commandName (command: number): string {
  const entry = Object.entries(Command).find(([, value]) => value === command)
  return entry === undefined ? `command ${command}` : entry[0]
}
