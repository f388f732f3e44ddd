import { struct, u32, u64 } from '@pcikit/wire'

/** What stands before the data of REGION_READ and REGION_WRITE. [vfio-user] "VFIO_USER_REGION_READ". */
export const RegionAccessLayout = struct('RegionAccess', 16, { offset: u64(0), region: u32(8), count: u32(12) })

/** The fixed part of REGION_WRITE_MULTI, and its whole reply. [vfio-user] "VFIO_USER_REGION_WRITE_MULTI". */
export const WriteMultiLayout = struct('WriteMulti', 8, { wrCnt: u64(0) })

/** One write of a REGION_WRITE_MULTI. [vfio-user] "Single Device Write Format". */
export const SingleWriteLayout = struct('SingleWrite', 24, { offset: u64(0), region: u32(8), count: u32(12) })

/** Where the data of one write of a REGION_WRITE_MULTI starts, and the most bytes it has. */
export const SINGLE_WRITE_DATA_OFFSET = 16
export const SINGLE_WRITE_BYTES_MAX = 8
