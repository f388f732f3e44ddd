import { bits, struct, u16, u32, u64, u8 } from '@pcikit/wire'

/** struct virtio_blk_config. [virtio] "Block Device", "Device configuration layout". */
export const BlkConfig = struct('BlkConfig', 96, {
  capacity: u64(0),
  sizeMax: u32(8),
  segMax: u32(12),
  cylinders: u16(16),
  heads: u8(18),
  sectors: u8(19),
  blkSize: u32(20),
  physicalBlockExp: u8(24),
  alignmentOffset: u8(25),
  minIoSize: u16(26),
  optIoSize: u32(28),
  writeback: u8(32),
  numQueues: u16(34),
  maxDiscardSectors: u32(36),
  maxDiscardSeg: u32(40),
  discardSectorAlignment: u32(44),
  maxWriteZeroesSectors: u32(48),
  maxWriteZeroesSeg: u32(52),
  writeZeroesMayUnmap: u8(56),
  maxSecureEraseSectors: u32(60),
  maxSecureEraseSeg: u32(64),
  secureEraseSectorAlignment: u32(68),
  zoneSectors: u32(72),
  maxOpenZones: u32(76),
  maxActiveZones: u32(80),
  maxAppendSectors: u32(84),
  writeGranularity: u32(88),
  model: u8(92)
})

/** The start of struct virtio_blk_req. [virtio] "Block Device", "Device Operation". */
export const RequestHeader = struct('RequestHeader', 16, { type: u32(0), reserved: u32(4), sector: u64(8) })

/** What struct virtio_blk_req_za has before its status. [virtio] "Block Device", "Device Operation". */
export const AppendSector = struct('AppendSector', 8, { appendSector: u64(0) })

/** struct virtio_blk_discard_write_zeroes. [virtio] "Block Device", "Device Operation". */
export const RangeSegment = struct('RangeSegment', 16, { sector: u64(0), numSectors: u32(8), flags: u32(12) })

/** Field `flags` of {@link RangeSegment}. */
export const RangeFlags = Object.freeze({ UNMAP: bits(0) })

/** struct virtio_blk_lifetime. [virtio] "Block Device", "Device Operation". */
export const LifetimeLayout = struct('LifetimeLayout', 6, {
  preEolInfo: u16(0),
  deviceLifetimeEstTypA: u16(2),
  deviceLifetimeEstTypB: u16(4)
})
