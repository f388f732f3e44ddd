/**
 * The messages as the specification's tables print them, offsets from the end of the header. They are written out here
 * once more, and not shared with a server, so that a wrong offset cannot agree with itself.
 */
import { struct, u16, u32, u64 } from '@pcikit/wire'

/** [vfio-user] "Header". */
export const Header = struct('Header', 16, { id: u16(0), command: u16(2), size: u32(4), flags: u32(8), error: u32(12) })

/** [vfio-user] "VFIO_USER_VERSION". The JSON text follows. */
export const Version = struct('Version', 4, { major: u16(0), minor: u16(2) })

/** [vfio-user] "VFIO_USER_DMA_MAP". */
export const DmaMap = struct('DmaMap', 32, {
  argsz: u32(0),
  flags: u32(4),
  offset: u64(8),
  address: u64(16),
  size: u64(24)
})

/** [vfio-user] "VFIO_USER_DMA_UNMAP". */
export const DmaUnmap = struct('DmaUnmap', 24, { argsz: u32(0), flags: u32(4), address: u64(8), size: u64(16) })

/** [vfio-user] "VFIO_USER_DEVICE_GET_INFO". */
export const DeviceInfo = struct('DeviceInfo', 16, {
  argsz: u32(0),
  flags: u32(4),
  numRegions: u32(8),
  numIrqs: u32(12)
})

/** [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const RegionInfoLayout = struct('RegionInfo', 32, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  capOffset: u32(12),
  size: u64(16),
  offset: u64(24)
})

/** [vfio-user] "VFIO cap header format". */
export const CapHeader = struct('CapHeader', 8, { id: u16(0), version: u16(2), next: u32(4) })

/** [vfio-user] "VFIO region info cap sparse mmap", from the end of the capability's header. */
export const SparseMmap = struct('SparseMmap', 8, { nrAreas: u32(0), reserved: u32(4) })

/** One area of a sparse mmap capability. */
export const SparseArea = struct('SparseArea', 16, { offset: u64(0), size: u64(8) })

/** [vfio-user] "VFIO_USER_DEVICE_GET_REGION_IO_FDS". */
export const RegionIoFds = struct('RegionIoFds', 16, { argsz: u32(0), flags: u32(4), index: u32(8), count: u32(12) })

/** [vfio-user] "Sub-Region IO FD info format (ioeventfd)". */
export const SubRegion = struct('SubRegion', 40, {
  offset: u64(0),
  size: u64(8),
  fdIndex: u32(16),
  type: u32(20),
  flags: u32(24),
  padding: u32(28),
  datamatch: u64(32)
})

/** [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const IrqInfoLayout = struct('IrqInfo', 16, { argsz: u32(0), flags: u32(4), index: u32(8), count: u32(12) })

/** [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". Booleans follow where there are any. */
export const IrqSet = struct('IrqSet', 20, {
  argsz: u32(0),
  flags: u32(4),
  index: u32(8),
  start: u32(12),
  count: u32(16)
})

/** [vfio-user] "VFIO_USER_REGION_READ" and "VFIO_USER_REGION_WRITE". */
export const RegionAccessLayout = struct('RegionAccess', 16, { offset: u64(0), region: u32(8), count: u32(12) })

/** [vfio-user] "VFIO_USER_REGION_WRITE_MULTI". */
export const WriteMulti = struct('WriteMulti', 8, { wrCnt: u64(0) })

/** [vfio-user] "Single Device Write Format". */
export const SingleWrite = struct('SingleWrite', 24, { offset: u64(0), region: u32(8), count: u32(12), data: u64(16) })

/** [vfio-user] "VFIO_USER_DMA_READ" and "VFIO_USER_DMA_WRITE": data from byte 16 on. */
export const DmaAccessLayout = struct('DmaAccess', 16, { address: u64(0), count: u64(8) })

/**
 * What QEMU from 10.1 on has for DMA_READ and DMA_WRITE: data from byte 12 on. The compiler pads its structure to 16
 * bytes, and sizes are counted from there, so each message ends with four bytes that mean nothing.
 */
export const QemuDmaAccessLayout = struct('QemuDmaAccess', 12, { address: u64(0), count: u32(8) })

/** The size of QEMU's structure with its padding, without data. */
export const QEMU_DMA_ACCESS_BYTES = 16

/** [vfio-user] "VFIO_USER_DEVICE_FEATURE". The feature's data follows. */
export const DeviceFeature = struct('DeviceFeature', 8, { argsz: u32(0), flags: u32(4) })
