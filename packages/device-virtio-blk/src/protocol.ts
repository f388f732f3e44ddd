/** Feature bits of the block device. [virtio] "Block Device", "Feature bits". */
export const BlkFeature = Object.freeze(
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
export type BlkFeature = (typeof BlkFeature)[keyof typeof BlkFeature]

/** What a request asks for: VIRTIO_BLK_T_*. [virtio] "Block Device", "Device Operation". */
export const RequestType = Object.freeze(
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
export type RequestType = (typeof RequestType)[keyof typeof RequestType]

/** What a request came to: VIRTIO_BLK_S_*, the status byte. [virtio] "Block Device", "Device Operation". */
export const BlkStatus = Object.freeze(
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
export type BlkStatus = (typeof BlkStatus)[keyof typeof BlkStatus]

/** What sectors are counted in, whatever the block size. */
export const SECTOR_BYTES = 512
/** Bytes of the string that GET_ID fills. */
export const ID_BYTES = 20
