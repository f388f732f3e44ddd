import { struct, u16, u32, u64 } from '@pcikit/wire'

/** struct virtq_desc. [virtio] "The Virtqueue Descriptor Table". */
export const SplitDescriptor = struct('SplitDescriptor', 16, {
  addr: u64(0),
  len: u32(8),
  flags: u16(12),
  next: u16(14)
})

/** struct pvirtq_desc. [virtio] "The Virtqueue Descriptor Format". */
export const PackedDescriptor = struct('PackedDescriptor', 16, {
  addr: u64(0),
  len: u32(8),
  id: u16(12),
  flags: u16(14)
})

/** What both begin with: the buffer. */
export const DescribedBuffer = struct('DescribedBuffer', 12, { addr: u64(0), len: u32(8) })

/** Bytes of a descriptor of either kind. */
export const DESCRIPTOR_BYTES = 16

/** Flags of a descriptor. AVAIL and USED are those of packed rings. [virtio] "The Virtqueue Descriptor Table". */
export const DescriptorFlag = Object.freeze({ NEXT: 1, WRITE: 2, INDIRECT: 4, AVAIL: 1 << 7, USED: 1 << 15 } as const)
