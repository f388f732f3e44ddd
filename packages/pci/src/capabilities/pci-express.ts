import { bits } from '@pcikit/wire'
import type { Capability } from '../capability.js'

/** Names of the capability and of the word that holds Device Control in the configuration space. */
export const PCI_EXPRESS = 'EXPRESS'
export const DEVICE_CONTROL = 'EXPRESS.DEVICE_CONTROL'

/** The PCI Express Capabilities Register, as bits of the word at 00h. */
const ExpressCapabilities = Object.freeze({ VERSION: bits(19, 16), TYPE: bits(23, 20) })

/** [PCIe] "Device Capabilities Register (Offset 04h)". */
const DeviceCapabilities = Object.freeze({
  MAX_PAYLOAD_SIZE: bits(2, 0),
  ROLE_BASED_ERROR_REPORTING: bits(15),
  FUNCTION_LEVEL_RESET: bits(28)
})

/** [PCIe] "Device Control Register (Offset 08h)". */
export const DeviceControl = Object.freeze({
  ERROR_REPORTING_ENABLE: bits(3, 0),
  RELAXED_ORDERING_ENABLE: bits(4),
  MAX_PAYLOAD_SIZE: bits(7, 5),
  NO_SNOOP_ENABLE: bits(11),
  MAX_READ_REQUEST_SIZE: bits(14, 12),
  INITIATE_FUNCTION_LEVEL_RESET: bits(15)
})

/** Correctable, non-fatal, fatal error and unsupported request detected, as bits of the word at 08h. */
const DEVICE_STATUS_ERRORS = bits(19, 16)

/** [PCIe] "Link Capabilities Register (Offset 0Ch)". */
const LinkCapabilities = Object.freeze({
  MAX_LINK_SPEED: bits(3, 0),
  MAXIMUM_LINK_WIDTH: bits(9, 4),
  ASPM_OPTIONALITY_COMPLIANCE: bits(22)
})

/** Link Control and Link Status, as bits of the word at 10h. */
const Link = Object.freeze({
  ASPM_CONTROL: bits(1, 0),
  READ_COMPLETION_BOUNDARY: bits(3),
  COMMON_CLOCK_CONFIGURATION: bits(6),
  EXTENDED_SYNCH: bits(7),
  CURRENT_LINK_SPEED: bits(19, 16),
  NEGOTIATED_LINK_WIDTH: bits(25, 20),
  SLOT_CLOCK_CONFIGURATION: bits(28)
})

/** [PCIe] "Device Capabilities 2 Register (Offset 24h)" and "Device Control 2 Register (Offset 28h)": the same bit. */
const COMPLETION_TIMEOUT_DISABLE = bits(4)
/** [PCIe] "Link Capabilities 2 Register (Offset 2Ch)". */
const SUPPORTED_LINK_SPEEDS = bits(7, 1)
/** [PCIe] "Link Control 2 Register (Offset 30h)". */
const TARGET_LINK_SPEED = bits(3, 0)

/** What {@link pciExpress} takes. */
export interface PciExpressOptions {
  /** Function-Level Reset. True where not given. */
  readonly flr?: boolean
  /** 1 for 2.5 GT/s to 6 for 64 GT/s. 4 (16 GT/s) where not given. There is no link; drivers only print it. */
  readonly linkSpeed?: 1 | 2 | 3 | 4 | 5 | 6
  /** Lanes. 4 where not given. */
  readonly linkWidth?: 1 | 2 | 4 | 8 | 16
}

/** A PCI Express endpoint without slot, ASPM and PME. [PCIe] "PCI Express Capability Structure". */
export function pciExpress (options: PciExpressOptions = {}): Capability {
  const { flr = true, linkSpeed = 4, linkWidth = 4 } = options
  const linkCapabilities = LinkCapabilities.MAX_LINK_SPEED.set(0, linkSpeed) |
    LinkCapabilities.MAXIMUM_LINK_WIDTH.set(0, linkWidth) | LinkCapabilities.ASPM_OPTIONALITY_COMPLIANCE.mask
  const linkStatus = Link.CURRENT_LINK_SPEED.set(0, linkSpeed) | Link.NEGOTIATED_LINK_WIDTH.set(0, linkWidth) |
    Link.SLOT_CLOCK_CONFIGURATION.mask
  const linkControl = Link.ASPM_CONTROL.mask | Link.READ_COMPLETION_BOUNDARY.mask |
    Link.COMMON_CLOCK_CONFIGURATION.mask | Link.EXTENDED_SYNCH.mask
  return {
    name: PCI_EXPRESS,
    id: 0x10,
    byteLength: 0x3c,
    registers: {
      // Version 2 of the structure; type 0 is an endpoint.
      CAPABILITIES: { offset: 0x00, reset: ExpressCapabilities.VERSION.set(0, 2) | ExpressCapabilities.TYPE.set(0, 0) },
      DEVICE_CAPABILITIES: {
        offset: 0x04,
        // Payloads of up to 256 bytes.
        reset: DeviceCapabilities.MAX_PAYLOAD_SIZE.set(0, 1) | DeviceCapabilities.ROLE_BASED_ERROR_REPORTING.mask |
          (flr ? DeviceCapabilities.FUNCTION_LEVEL_RESET.mask : 0)
      },
      DEVICE_CONTROL: deviceControl(flr),
      LINK_CAPABILITIES: { offset: 0x0c, reset: linkCapabilities },
      // [PCIe] "Function Level Reset (FLR)" exempts the link's settings.
      LINK_CONTROL: { offset: 0x10, reset: linkStatus, writable: linkControl, sticky: linkControl },
      DEVICE_CAPABILITIES_2: { offset: 0x24, reset: COMPLETION_TIMEOUT_DISABLE.mask },
      DEVICE_CONTROL_2: { offset: 0x28, writable: COMPLETION_TIMEOUT_DISABLE.mask },
      LINK_CAPABILITIES_2: { offset: 0x2c, reset: SUPPORTED_LINK_SPEEDS.set(0, 2 ** linkSpeed - 1) },
      LINK_CONTROL_2: {
        offset: 0x30,
        reset: linkSpeed,
        writable: TARGET_LINK_SPEED.mask,
        sticky: TARGET_LINK_SPEED.mask
      }
    }
  }
}

function deviceControl (flr: boolean) {
  const writable = DeviceControl.ERROR_REPORTING_ENABLE.mask | DeviceControl.RELAXED_ORDERING_ENABLE.mask |
    DeviceControl.MAX_PAYLOAD_SIZE.mask | DeviceControl.NO_SNOOP_ENABLE.mask |
    DeviceControl.MAX_READ_REQUEST_SIZE.mask | (flr ? DeviceControl.INITIATE_FUNCTION_LEVEL_RESET.mask : 0)
  return {
    offset: 0x08,
    // Read requests of 512 bytes, as the specification has it after reset.
    reset: DeviceControl.RELAXED_ORDERING_ENABLE.mask | DeviceControl.NO_SNOOP_ENABLE.mask |
      DeviceControl.MAX_READ_REQUEST_SIZE.set(0, 2),
    writable,
    clearable: DEVICE_STATUS_ERRORS.mask,
    sticky: DeviceControl.MAX_PAYLOAD_SIZE.mask
  }
}
