import { struct, u64, u8 } from '@pcikit/wire'

/** struct virtio_blk_zone_report, before the descriptors. [virtio] "Block Device", "Device Operation". */
export const ZoneReportLayout = struct('ZoneReport', 64, { nrZones: u64(0) })

/** struct virtio_blk_zone_descriptor. [virtio] "Block Device", "Device Operation". */
export const ZoneDescriptorLayout = struct('ZoneDescriptor', 64, {
  zCap: u64(0),
  zStart: u64(8),
  zWp: u64(16),
  zType: u8(24),
  zState: u8(25)
})
