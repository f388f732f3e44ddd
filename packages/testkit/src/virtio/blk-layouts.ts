/** The block device as a driver needs it. [virtio] "Block Device". */
import { struct, u16, u32, u64, u8 } from '@pcikit/wire'

/** What sectors are counted in, whatever the block size. */
export const SECTOR_BYTES = 512

/** [virtio] "Block Device", "Feature bits". */
export const VirtioBlkFeature = Object.freeze(
  {
    SIZE_MAX: 1,
    SEG_MAX: 2,
    GEOMETRY: 4,
    RO: 5,
    BLK_SIZE: 6,
    FLUSH: 9,
    TOPOLOGY: 10,
    CONFIG_WCE: 11,
    MQ: 12,
    DISCARD: 13,
    WRITE_ZEROES: 14,
    LIFETIME: 15,
    SECURE_ERASE: 16,
    ZONED: 17
  } as const
)

/** struct virtio_blk_config. [virtio] "Device configuration layout". */
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
  unused0: u8(33),
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

/** Fields of {@link BlkConfig}, by name. */
export type VirtioBlkConfig = Readonly<Record<Exclude<keyof typeof BlkConfig, 'byteLength'>, number>>

/** The start of struct virtio_blk_req. [virtio] "Device Operation". */
export const BlkHeader = struct('BlkHeader', 16, { type: u32(0), reserved: u32(4), sector: u64(8) })

/** struct virtio_blk_discard_write_zeroes. */
export const BlkSegment = struct('BlkSegment', 16, { sector: u64(0), numSectors: u32(8), flags: u32(12) })

/** The unmap bit of {@link BlkSegment}. */
export const SEGMENT_UNMAP = 1

/** struct virtio_blk_lifetime. */
export const BlkLifetime = struct('BlkLifetime', 6, { preEolInfo: u16(0), typA: u16(2), typB: u16(4) })

/** The start of struct virtio_blk_zone_report, and struct virtio_blk_zone_descriptor. */
export const BlkZoneReport = struct('BlkZoneReport', 64, { nrZones: u64(0) })
export const BlkZone = struct('BlkZone', 64, {
  zCap: u64(0),
  zStart: u64(8),
  zWp: u64(16),
  zType: u8(24),
  zState: u8(25)
})

/** The type of a request. [virtio] "Device Operation". */
export const VirtioBlkRequest = Object.freeze(
  {
    IN: 0,
    OUT: 1,
    FLUSH: 4,
    GET_ID: 8,
    GET_LIFETIME: 10,
    DISCARD: 11,
    WRITE_ZEROES: 13,
    SECURE_ERASE: 14,
    ZONE_APPEND: 15,
    ZONE_REPORT: 16,
    ZONE_OPEN: 18,
    ZONE_CLOSE: 20,
    ZONE_FINISH: 22,
    ZONE_RESET: 24,
    ZONE_RESET_ALL: 26
  } as const
)

/** The status byte of a request. [virtio] "Device Operation". */
export const VirtioBlkStatus = Object.freeze(
  {
    OK: 0,
    IOERR: 1,
    UNSUPP: 2,
    ZONE_INVALID_CMD: 3,
    ZONE_UNALIGNED_WP: 4,
    ZONE_OPEN_RESOURCE: 5,
    ZONE_ACTIVE_RESOURCE: 6
  } as const
)

/** Bytes of the string that GET_ID fills. */
export const ID_BYTES = 20
