import { bits, struct, u32 } from '@pcikit/wire'

/** The fixed part of DEVICE_FEATURE. [vfio-user] "VFIO_USER_DEVICE_FEATURE". */
export const DeviceFeatureLayout = struct('DeviceFeature', 8, { argsz: u32(0), flags: u32(4) })

/** The flags of DEVICE_FEATURE. [vfio-user] "VFIO_USER_DEVICE_FEATURE". */
export const DeviceFeatureFlags = Object.freeze({
  INDEX: bits(15, 0),
  GET: bits(16),
  SET: bits(17),
  PROBE: bits(18),
  RESERVED: bits(31, 19)
})
