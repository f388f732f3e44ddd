/** What a zoned device asks of its driver. [virtio] "Block Device", "Device configuration layout", field model. */
export const ZonedModel = Object.freeze({ NONE: 0, HOST_MANAGED: 1, HOST_AWARE: 2 } as const)
export type ZonedModel = (typeof ZonedModel)[keyof typeof ZonedModel]

/** What may be written to a zone, and where. [virtio] "Block Device", "Device Operation", field z_type. */
export const ZoneType = Object.freeze({ CONVENTIONAL: 1, WRITE_REQUIRED: 2, WRITE_PREFERRED: 3 } as const)
export type ZoneType = (typeof ZoneType)[keyof typeof ZoneType]

/** What a zone is in. [virtio] "Block Device", "Device Operation", field z_state. */
export const ZoneState = Object.freeze(
  { NOT_WP: 0, EMPTY: 1, IOPEN: 2, EOPEN: 3, CLOSED: 4, RDONLY: 13, FULL: 14, OFFLINE: 15 } as const
)
export type ZoneState = (typeof ZoneState)[keyof typeof ZoneState]
