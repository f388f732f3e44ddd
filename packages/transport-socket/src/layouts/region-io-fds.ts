import { bits, struct, u32, u64 } from '@pcikit/wire'

/** The request and the fixed part of the reply. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_IO_FDS". */
export const RegionIoFdsLayout = struct('RegionIoFds', 16, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  count: u32(12)
})

/** One sub-region of the reply. [vfio-user] "Sub-Region IO FD info format (ioeventfd)". */
export const IoEventLayout = struct('IoEvent', 40, {
  offset: u64(0),
  size: u64(8),
  fdIndex: u32(16),
  type: u32(20),
  flags: u32(24),
  padding: u32(28),
  datamatchLow: u32(32),
  datamatchHigh: u32(36)
})

/** VFIO_USER_IO_FD_TYPE_IOEVENTFD. */
export const IO_FD_TYPE_IOEVENTFD = 0

/** The flags of an ioeventfd: those of linux/kvm.h. */
export const IoEventFlags = Object.freeze({ DATAMATCH: bits(0) })
