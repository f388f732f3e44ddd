import { struct, u16, u32 } from '@pcikit/wire'

/**
 * Completion, 16 bytes. The last word holds the phase tag in bit 16, so it is published last.
 * [NVMe-Base] "Completion Queue Entry".
 */
export const CompletionLayout = struct('Completion', 16, {
  result: u32(0),
  reserved: u32(4),
  sqhd: u16(8),
  sqid: u16(10),
  /** CID in 15:0, phase tag in 16, Status Field in 31:17. */
  statusWord: u32(12)
})

/** The last word of a completion. `status` is a Status Field without the phase tag. */
export function completionStatusWord (cid: number, status: number, phase: number): number {
  return (cid | (phase << 16) | (status << 17)) >>> 0
}
