import { bits, struct, u16, u32, u64 } from '@pcikit/wire'

/** The request and the fixed part of the reply. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const RegionInfoLayout = struct('RegionInfo', 32, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  capOffset: u32(12),
  size: u64(16),
  offset: u64(24)
})

/** The flags of a region. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const RegionInfoFlags = Object.freeze({ READ: bits(0), WRITE: bits(1), MMAP: bits(2), CAPS: bits(3) })

/** VFIO_REGION_INFO_CAP_SPARSE_MMAP of linux/vfio.h, and its version. */
export const SPARSE_MMAP_CAP = 1
export const SPARSE_MMAP_VERSION = 1

/** A capability that lists what can be mapped: header and fixed part. [vfio-user] "VFIO sparse mmap cap header". */
export const SparseMmapLayout = struct('SparseMmap', 16, {
  id: u16(0),
  version: u16(2),
  next: u32(4),
  nrAreas: u32(8),
  reserved: u32(12)
})

/** One area of the list. [vfio-user] "VFIO region info cap sparse mmap". */
export const SparseAreaLayout = struct('SparseArea', 16, { offset: u64(0), size: u64(8) })
