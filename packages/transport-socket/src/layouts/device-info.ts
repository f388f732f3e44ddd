import { bits, struct, u32 } from '@pcikit/wire'

/** The request and the reply of DEVICE_GET_INFO. [vfio-user] "VFIO_USER_DEVICE_GET_INFO". */
export const DeviceInfoLayout = struct('DeviceInfo', 16, {
  argsz: u32(0),
  flags: u32(4),
  numRegions: u32(8),
  numIrqs: u32(12)
})

/** The flags of DEVICE_GET_INFO. [vfio-user] "VFIO_USER_DEVICE_GET_INFO". */
export const DeviceInfoFlags = Object.freeze({ RESET: bits(0), PCI: bits(1) })
