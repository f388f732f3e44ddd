import { bits } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'

const ALL = 0xffff_ffff

/**
 * The registers of the device, in BAR 0. QEMU's docs/specs/edu.rst, "MMIO area spec".
 *
 * Those from 80h on have 64 bits: a word, and its upper half after it, which a driver of 32 bits leaves zero.
 */
export const eduRegisters = {
  IDENTIFICATION: { offset: 0x00, reset: 0x0100_00ed },
  LIVENESS: { offset: 0x04, writable: ALL },
  FACTORIAL: { offset: 0x08, writable: ALL },
  STATUS: { offset: 0x20, writable: 0x80 },
  INTERRUPT_STATUS: { offset: 0x24 },
  INTERRUPT_RAISE: { offset: 0x60, writable: ALL },
  INTERRUPT_ACKNOWLEDGE: { offset: 0x64, writable: ALL },
  SOURCE: { offset: 0x80, writable: ALL },
  SOURCE_HIGH: { offset: 0x84, writable: ALL },
  TARGET: { offset: 0x88, writable: ALL },
  TARGET_HIGH: { offset: 0x8c, writable: ALL },
  COUNT: { offset: 0x90, writable: ALL },
  COUNT_HIGH: { offset: 0x94, writable: ALL },
  COMMAND: { offset: 0x98, writable: 0x7 }
} as const satisfies Record<string, RegisterSpec>

/** The status register. */
export const Status = Object.freeze({ COMPUTING: bits(0), INTERRUPT: bits(7) })

/** The DMA command register. `TO_MEMORY` is its direction: set, from the device's buffer to the guest's memory. */
export const DmaCommand = Object.freeze({ RUN: bits(0), TO_MEMORY: bits(1), INTERRUPT: bits(2) })

/** What the device itself puts into the interrupt status register. Drivers raise whatever they like. */
export const InterruptCause = Object.freeze({ FACTORIAL: 0x1, DMA: 0x100 } as const)
