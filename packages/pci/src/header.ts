import { bits } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'
import type { BarDescription, PciDescription } from './description.js'

/** The Command register, the lower half of the word at 04h. [PCIe] "Command Register (Offset 04h)". */
export const Command = Object.freeze({
  IO_SPACE_ENABLE: bits(0),
  MEMORY_SPACE_ENABLE: bits(1),
  BUS_MASTER_ENABLE: bits(2),
  PARITY_ERROR_RESPONSE: bits(6),
  SERR_ENABLE: bits(8),
  INTERRUPT_DISABLE: bits(10)
})

/** The Status register, as bits of the whole word at 04h. [PCIe] "Status Register (Offset 06h)". */
export const Status = Object.freeze({
  INTERRUPT_STATUS: bits(19),
  CAPABILITIES_LIST: bits(20),
  MASTER_DATA_PARITY_ERROR: bits(24),
  SIGNALED_TARGET_ABORT: bits(27),
  RECEIVED_TARGET_ABORT: bits(28),
  RECEIVED_MASTER_ABORT: bits(29),
  SIGNALED_SYSTEM_ERROR: bits(30),
  DETECTED_PARITY_ERROR: bits(31)
})

/** The low bits of a BAR. [PCIe] "Base Address Registers (Offset 10h - 24h)". */
const BAR_IO = 1
const BAR_TYPE_64 = 2 << 1
const BAR_PREFETCHABLE = 1 << 3
const WORD = 0x1_0000_0000

const commandWritable = Object.values(Command).reduce((mask, field) => mask | field.mask, 0)
const statusClearable = (Status.MASTER_DATA_PARITY_ERROR.mask | Status.SIGNALED_TARGET_ABORT.mask |
  Status.RECEIVED_TARGET_ABORT.mask | Status.RECEIVED_MASTER_ABORT.mask | Status.SIGNALED_SYSTEM_ERROR.mask |
  Status.DETECTED_PARITY_ERROR.mask) >>> 0

/** The words of the type 0 header. [PCIe] "Type 0 Configuration Space Header". */
export function headerRegisters (description: PciDescription, firstCapability: number): Record<string, RegisterSpec> {
  const { identity } = description
  const subsystemVendorId = identity.subsystemVendorId ?? identity.vendorId
  const subsystemId = identity.subsystemId ?? identity.deviceId
  return {
    ID: { offset: 0x00, reset: (identity.vendorId | identity.deviceId << 16) >>> 0 },
    COMMAND_STATUS: {
      offset: 0x04,
      reset: firstCapability === 0 ? 0 : Status.CAPABILITIES_LIST.mask,
      writable: commandWritable,
      clearable: statusClearable
    },
    CLASS: { offset: 0x08, reset: ((identity.revisionId ?? 0) | identity.classCode << 8) >>> 0 },
    // Cache Line Size is read-write for old software, and without effect. Type 0, a single function.
    CACHE_LINE: { offset: 0x0c, writable: 0xff },
    ...barRegisters(description.bars ?? []),
    SUBSYSTEM: { offset: 0x2c, reset: (subsystemVendorId | subsystemId << 16) >>> 0 },
    ...(description.rom === undefined ? {} : { ROM: romRegister(romByteLength(description.rom)) }),
    CAPABILITIES: { offset: 0x34, reset: firstCapability },
    INTERRUPT: { offset: 0x3c, reset: (description.interrupts?.intxPin ?? 0) << 8, writable: 0xff }
  }
}

/** The size of the expansion ROM: a power of two of at least 2 KiB. [PCIe] "Expansion ROM Base Address Register". */
export function romByteLength (rom: Uint8Array): number {
  return 2 ** Math.ceil(Math.log2(Math.max(rom.length, 0x800)))
}

function romRegister (byteLength: number): RegisterSpec {
  return { offset: 0x30, writable: (WORD - byteLength + 1) >>> 0 }
}

/** Bits below the size of a BAR are read-only: that is how software finds the size. */
function barRegisters (bars: readonly BarDescription[]): Record<string, RegisterSpec> {
  const registers: Record<string, RegisterSpec> = {}
  for (const { index, byteLength, kind, prefetchable } of bars) {
    const offset = 0x10 + index * 4
    const low = byteLength >= WORD ? 0 : WORD - byteLength
    const flags = kind === 'io' ?
      BAR_IO :
      (kind === 'memory64' ? BAR_TYPE_64 : 0) | (prefetchable ? BAR_PREFETCHABLE : 0)
    registers[`BAR${index}`] = { offset, reset: flags, writable: (low & (kind === 'io' ? ~0x3 : ~0xf)) >>> 0 }
    if (kind === 'memory64') {
      const high = byteLength >= WORD ? WORD - byteLength / WORD : 0xffff_ffff
      registers[`BAR${index + 1}`] = { offset: offset + 4, writable: high >>> 0 }
    }
  }
  return registers
}
