/** Bits of device_status. [virtio] "Device Status Field". */
export const DeviceStatus = Object.freeze(
  { ACKNOWLEDGE: 1, DRIVER: 2, DRIVER_OK: 4, FEATURES_OK: 8, NEEDS_RESET: 64, FAILED: 128 } as const
)
