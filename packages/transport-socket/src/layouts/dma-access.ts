import { struct, u32, u64 } from '@pcikit/wire'

/** DMA_READ and DMA_WRITE as the specification has them; data follows. [vfio-user] "VFIO_USER_DMA_READ". */
export const DmaAccessLayout = struct('DmaAccess', 16, { address: u64(0), count: u64(8) })

/**
 * DMA_READ and DMA_WRITE as QEMU has had them since 10.1. Data starts right after the count, in what C counts as the
 * structure's padding: messages are still 16 bytes longer than their data, the last four of which mean nothing.
 *
 * Deviation: [vfio-user] has a count of 64 bits, and so has QEMU 11.1.3 as it runs. Both are tested in
 * test/conformance/vfio-user/dma-read.test.ts.
 */
export const QemuDmaAccessLayout = struct('QemuDmaAccess', 12, { address: u64(0), count: u32(8) })

/** How many bytes a message has before its data, and after it, together. The same in both layouts. */
export const DMA_ACCESS_BYTES = 16
