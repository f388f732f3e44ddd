import { bits, struct, u16, u32 } from '@pcikit/wire'

/** What stands before every message, 16 bytes. [vfio-user] "Header". */
export const Header = struct('Header', 16, {
  messageId: u16(0),
  command: u16(2),
  messageSize: u32(4),
  flags: u32(8),
  error: u32(12)
})

/** The flags of a header. [vfio-user] "Header". */
export const HeaderFlags = Object.freeze({ TYPE: bits(3, 0), NO_REPLY: bits(4), ERROR: bits(5) })
