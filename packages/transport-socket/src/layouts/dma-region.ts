import { bits, struct, u32, u64 } from '@pcikit/wire'

/** The request of DMA_MAP. [vfio-user] "VFIO_USER_DMA_MAP". */
export const DmaMapLayout = struct('DmaMap', 32, {
  argsz: u32(0),
  flags: u32(4),
  offset: u64(8),
  address: u64(16),
  size: u64(24)
})

/** The flags of DMA_MAP. [vfio-user] "VFIO_USER_DMA_MAP". */
export const DmaMapFlags = Object.freeze({ READABLE: bits(0), WRITEABLE: bits(1) })

/** The request and the reply of DMA_UNMAP. [vfio-user] "VFIO_USER_DMA_UNMAP". */
export const DmaUnmapLayout = struct('DmaUnmap', 24, {
  argsz: u32(0),
  flags: u32(4),
  address: u64(8),
  size: u64(16)
})

/**
 * The flags of DMA_UNMAP.
 *
 * Deviation: [vfio-user] calls the flags unused. QEMU and libvfio-user take them from VFIO's type 1 IOMMU: bit 0 asks
 * for the dirty bitmap, bit 1 means all regions. (The Rust crate has the two at bits 1 and 2; its client, Cloud
 * Hypervisor, sends neither.) See test/conformance/vfio-user/dma-unmap.test.ts.
 */
export const DmaUnmapFlags = Object.freeze({ GET_DIRTY_BITMAP: bits(0), ALL: bits(1) })
