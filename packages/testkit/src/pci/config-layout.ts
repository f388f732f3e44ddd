import { bits } from '@pcikit/wire'

/** The standard header of type 0. [PCIe] "Type 0 Configuration Space Header". */
export const ConfigRegister = Object.freeze(
  {
    VENDOR_ID: 0x00,
    DEVICE_ID: 0x02,
    COMMAND: 0x04,
    STATUS: 0x06,
    REVISION_ID: 0x08,
    CLASS_CODE: 0x09,
    HEADER_TYPE: 0x0e,
    BAR0: 0x10,
    SUBSYSTEM_VENDOR_ID: 0x2c,
    SUBSYSTEM_ID: 0x2e,
    EXPANSION_ROM: 0x30,
    CAPABILITIES_POINTER: 0x34,
    INTERRUPT_LINE: 0x3c,
    INTERRUPT_PIN: 0x3d,
    EXTENDED_CAPABILITIES: 0x100
  } as const
)

/** [PCIe] "Command Register". */
export const PciCommand = Object.freeze({
  IO_SPACE: bits(0),
  MEMORY_SPACE: bits(1),
  BUS_MASTER: bits(2),
  SERR: bits(8),
  INTERRUPT_DISABLE: bits(10)
})

/** [PCIe] "Status Register". */
export const PciStatus = Object.freeze({ INTERRUPT: bits(3), CAPABILITIES: bits(4) })

/** Capability IDs. [PCIe] "PCI-Compatible Capabilities". */
export const CapabilityId = Object.freeze(
  { POWER_MANAGEMENT: 0x01, MSI: 0x05, VENDOR: 0x09, PCI_EXPRESS: 0x10, MSIX: 0x11 } as const
)

/** Extended capability IDs. [PCIe] "PCI Express Extended Capabilities". */
export const ExtendedCapabilityId = Object.freeze({ AER: 0x0001, DEVICE_SERIAL_NUMBER: 0x0003 } as const)

/** Power management control and status, at 4 of its capability. [PCIe] "Power Management Control/Status". */
export const Pmcsr = Object.freeze({ POWER_STATE: bits(1, 0), NO_SOFT_RESET: bits(3) })

/** MSI message control, at 2 of its capability. [PCIe] "MSI Capability Structure". */
export const MsiControl = Object.freeze({
  ENABLE: bits(0),
  MULTIPLE_MESSAGE_CAPABLE: bits(3, 1),
  MULTIPLE_MESSAGE_ENABLE: bits(6, 4),
  ADDRESS_64: bits(7),
  PER_VECTOR_MASKING: bits(8)
})

/** MSI-X message control, at 2 of its capability. [PCIe] "MSI-X Capability Structure". */
export const MsixControl = Object.freeze({ TABLE_SIZE: bits(10, 0), FUNCTION_MASK: bits(14), ENABLE: bits(15) })

/** The words at 4 and 8 of the MSI-X capability: where table and pending bits are. */
export const MsixLocation = Object.freeze({ BIR: bits(2, 0), OFFSET: bits(31, 3) })

/** Device capabilities, at 4 of the PCI Express capability. [PCIe] "Device Capabilities Register". */
export const DeviceCapabilities = Object.freeze({ FLR: bits(28) })

/** Device control, at 8 of the PCI Express capability. [PCIe] "Device Control Register". */
export const DeviceControl = Object.freeze({ INITIATE_FLR: bits(15) })
