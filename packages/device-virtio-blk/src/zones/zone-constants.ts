/** Statuses that requests to a zoned device end with. [virtio] "Device Operation" of "Block Device", field status. */
export const ZoneStatus = Object.freeze(
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
export type ZoneStatus = (typeof ZoneStatus)[keyof typeof ZoneStatus]

/** Request types that only zoned devices know. [virtio] "Device Operation" of "Block Device", VIRTIO_BLK_T_ZONE_*. */
export const ZoneRequest = Object.freeze(
  { APPEND: 15, REPORT: 16, OPEN: 18, CLOSE: 20, FINISH: 22, RESET: 24, RESET_ALL: 26 } as const
)
export type ZoneRequest = (typeof ZoneRequest)[keyof typeof ZoneRequest]

/** What a zoned device asks of its driver. [virtio] "Device configuration layout" of "Block Device", field model. */
export const ZonedModel = Object.freeze({ NONE: 0, HOST_MANAGED: 1, HOST_AWARE: 2 } as const)
export type ZonedModel = (typeof ZonedModel)[keyof typeof ZonedModel]

/** What may be written to a zone, and where. [virtio] "Device Operation" of "Block Device", field z_type. */
export const ZoneType = Object.freeze({ CONVENTIONAL: 1, WRITE_REQUIRED: 2, WRITE_PREFERRED: 3 } as const)
export type ZoneType = (typeof ZoneType)[keyof typeof ZoneType]

/** What a zone is in. [virtio] "Device Operation" of "Block Device", field z_state. */
export const ZoneState = Object.freeze(
  { NOT_WP: 0, EMPTY: 1, IOPEN: 2, EOPEN: 3, CLOSED: 4, RDONLY: 13, FULL: 14, OFFLINE: 15 } as const
)
export type ZoneState = (typeof ZoneState)[keyof typeof ZoneState]
