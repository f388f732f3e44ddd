import { bits } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'

/**
 * The registers, at the start of BAR 0. A driver puts a buffer and a key into them, sets CONTROL.START, waits for an
 * interrupt, reads STATUS, and clears what it saw there by writing it back.
 */
export const registers = {
  /** Reads as "PCIK". */
  ID: { offset: 0x00, reset: 0x4b49_4350 },
  CONTROL: { offset: 0x04, writable: 0x1 },
  STATUS: { offset: 0x08, clearable: 0x6 },
  /** Every byte of the buffer is combined with it, by exclusive or. */
  KEY: { offset: 0x0c, writable: 0xff },
  /** Where the buffer is in guest memory, in two halves. */
  BUFFER: { offset: 0x10, writable: 0xffff_ffff },
  BUFFER_HIGH: { offset: 0x14, writable: 0xffff_ffff },
  /** Bytes in the buffer. */
  LENGTH: { offset: 0x18, writable: 0xffff_ffff },
  /** The most that LENGTH may be. */
  LENGTH_MAX: { offset: 0x1c }
} as const satisfies Record<string, RegisterSpec>

/** CONTROL. START is not kept: it reads as 0. */
export const Control = { START: bits(0) } as const

/** STATUS. The interrupt is raised while DONE or FAILED is set; writing 1 clears them. */
export const Status = { BUSY: bits(0), DONE: bits(1), FAILED: bits(2) } as const
