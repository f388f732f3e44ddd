import { bits } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'
import type { Capability } from '../capability.js'
import type { MsiDescription } from '../description.js'

/** Names of the capability's words in the configuration space. */
export const MsiRegister = Object.freeze({ CONTROL: 'MSI.CONTROL', MASK: 'MSI.MASK', PENDING: 'MSI.PENDING' } as const)

/** Message Control, as bits of the word at 00h. [PCIe] "Message Control Register for MSI (Offset 02h)". */
export const MsiControl = Object.freeze({
  MSI_ENABLE: bits(16),
  MULTIPLE_MESSAGE_CAPABLE: bits(19, 17),
  MULTIPLE_MESSAGE_ENABLE: bits(22, 20),
  ADDRESS_64_BIT_CAPABLE: bits(23),
  PER_VECTOR_MASKING_CAPABLE: bits(24)
})

/** MSI with 64-bit addresses. [PCIe] "MSI Capability Structure". */
export function msi ({ vectors, maskable = true }: MsiDescription): Capability {
  let control = MsiControl.MULTIPLE_MESSAGE_CAPABLE.set(0, Math.log2(vectors))
  control = MsiControl.ADDRESS_64_BIT_CAPABLE.set(control, 1)
  control = MsiControl.PER_VECTOR_MASKING_CAPABLE.set(control, maskable ? 1 : 0)
  const registers: Record<string, RegisterSpec> = {
    CONTROL: {
      offset: 0x00,
      reset: control,
      writable: MsiControl.MSI_ENABLE.mask | MsiControl.MULTIPLE_MESSAGE_ENABLE.mask
    },
    ADDRESS: { offset: 0x04, writable: 0xffff_fffc },
    ADDRESS_HIGH: { offset: 0x08, writable: 0xffff_ffff },
    DATA: { offset: 0x0c, writable: 0xffff }
  }
  if (!maskable) return { name: 'MSI', id: 0x05, byteLength: 0x10, registers }
  registers['MASK'] = { offset: 0x10, writable: 2 ** vectors - 1 }
  registers['PENDING'] = { offset: 0x14 }
  return { name: 'MSI', id: 0x05, byteLength: 0x18, registers }
}

/** How many vectors the driver allotted: no more than the function asked for. */
export function allottedMsiVectors (control: number): number {
  const capable = MsiControl.MULTIPLE_MESSAGE_CAPABLE.get(control)
  return 1 << Math.min(MsiControl.MULTIPLE_MESSAGE_ENABLE.get(control), capable)
}
