import { bits } from '@pcikit/wire'
import type { Capability } from '../capability.js'
import type { MsixDescription } from '../description.js'

/** Names of the capability's words in the configuration space. */
export const MsixRegister = Object.freeze({ CONTROL: 'MSIX.CONTROL' } as const)

/** Message Control, as bits of the word at 00h. [PCIe] "Message Control Register for MSI-X (Offset 02h)". */
export const MsixControl = Object.freeze({
  TABLE_SIZE: bits(26, 16),
  FUNCTION_MASK: bits(30),
  MSIX_ENABLE: bits(31)
})

/** Bytes of one entry of the MSI-X table: address, upper address, data, vector control. */
export const MSIX_ENTRY_BYTES = 16

/** Where the parts of MSI-X are, with nothing left open. */
export interface MsixPlacement {
  readonly vectors: number
  readonly tableBar: number
  readonly tableOffset: number
  readonly tableByteLength: number
  readonly pbaBar: number
  readonly pbaOffset: number
  readonly pbaByteLength: number
}

/** Fills in what a description leaves open. */
export function placeMsix (description: MsixDescription): MsixPlacement {
  const { vectors, tableBar, tableOffset } = description
  const tableByteLength = vectors * MSIX_ENTRY_BYTES
  return {
    vectors,
    tableBar,
    tableOffset,
    tableByteLength,
    pbaBar: description.pbaBar ?? tableBar,
    pbaOffset: description.pbaOffset ?? tableOffset + tableByteLength,
    // One bit for each vector, in QWORDs.
    pbaByteLength: Math.ceil(vectors / 64) * 8
  }
}

/** [PCIe] "MSI-X Capability and Table Structure". */
export function msix (placement: MsixPlacement): Capability {
  return {
    name: 'MSIX',
    id: 0x11,
    byteLength: 12,
    registers: {
      CONTROL: {
        offset: 0x00,
        reset: MsixControl.TABLE_SIZE.set(0, placement.vectors - 1),
        writable: (MsixControl.MSIX_ENABLE.mask | MsixControl.FUNCTION_MASK.mask) >>> 0
      },
      TABLE: { offset: 0x04, reset: placement.tableOffset + placement.tableBar },
      PBA: { offset: 0x08, reset: placement.pbaOffset + placement.pbaBar }
    }
  }
}
