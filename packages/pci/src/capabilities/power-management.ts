import { bits } from '@pcikit/wire'
import type { Capability } from '../capability.js'

/** The name of the capability and of its control word in the configuration space. */
export const POWER_MANAGEMENT = 'PM'
export const POWER_MANAGEMENT_STATUS = 'PM.PMCSR'

/** [PCIe] "Power Management Control/Status Register (Offset 04h)". */
export const Pmcsr = Object.freeze({ POWER_STATE: bits(1, 0), NO_SOFT_RESET: bits(3) })

/** The values of PowerState. D1 and D2 are optional, and not supported. */
export const PowerStateValue = Object.freeze({ D0: 0, D3HOT: 3 } as const)

/** What {@link powerManagement} takes. */
export interface PowerManagementOptions {
  /** Whether registers keep their values on the way from D3hot to D0. False where not given: the function is reset. */
  readonly noSoftReset?: boolean
}

/** D0 and D3hot, without PME. [PCIe] "PCI Power Management Capability Structure". */
export function powerManagement (options: PowerManagementOptions = {}): Capability {
  return {
    name: POWER_MANAGEMENT,
    id: 0x01,
    byteLength: 8,
    registers: {
      // Version 3 in bits 18:16 of the word. No PME, no D1, no D2.
      PMC: { offset: 0x00, reset: 3 << 16 },
      PMCSR: {
        offset: 0x04,
        reset: Pmcsr.NO_SOFT_RESET.set(0, options.noSoftReset === true ? 1 : 0),
        writable: Pmcsr.POWER_STATE.mask
      }
    }
  }
}
