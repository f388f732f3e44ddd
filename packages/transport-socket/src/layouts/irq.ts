import { bits, struct, u32 } from '@pcikit/wire'

/** The request and the reply of DEVICE_GET_IRQ_INFO. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const IrqInfoLayout = struct('IrqInfo', 16, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  count: u32(12)
})

/** The flags of a kind of interrupt. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const IrqInfoFlags = Object.freeze({
  EVENTFD: bits(0),
  MASKABLE: bits(1),
  AUTOMASKED: bits(2),
  NORESIZE: bits(3)
})

/** The request of DEVICE_SET_IRQS; one byte for each vector follows where flags say DATA_BOOL. */
export const IrqSetLayout = struct('IrqSet', 20, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  start: u32(12),
  count: u32(16)
})

/** What kind of data a DEVICE_SET_IRQS has: exactly one bit. [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". */
export const IrqData = Object.freeze({ NONE: 1 << 0, BOOL: 1 << 1, EVENTFD: 1 << 2 } as const)

/** What a DEVICE_SET_IRQS does: exactly one bit. [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". */
export const IrqAction = Object.freeze({ MASK: 1 << 3, UNMASK: 1 << 4, TRIGGER: 1 << 5 } as const)

/** The two parts of the flags. [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". */
export const IrqSetFlags = Object.freeze({ DATA_MASK: 0b111, ACTION_MASK: 0b11_1000, ALL_MASK: 0b11_1111 } as const)
