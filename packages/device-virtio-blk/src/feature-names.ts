import { VirtioFeature } from '@pcikit/virtio'
import { BlkFeature } from './protocol.js'

/** What a user can have left out, by name: what has no option of its own. */
export const FEATURE_NAMES = Object.freeze(
  {
    'access-platform': VirtioFeature.ACCESS_PLATFORM,
    'blk-size': BlkFeature.BLK_SIZE,
    'config-wce': BlkFeature.CONFIG_WCE,
    'event-idx': VirtioFeature.EVENT_IDX,
    flush: BlkFeature.FLUSH,
    geometry: BlkFeature.GEOMETRY,
    indirect: VirtioFeature.INDIRECT_DESC,
    mq: BlkFeature.MQ,
    'notification-data': VirtioFeature.NOTIFICATION_DATA,
    packed: VirtioFeature.RING_PACKED,
    'ring-reset': VirtioFeature.RING_RESET,
    'seg-max': BlkFeature.SEG_MAX,
    topology: BlkFeature.TOPOLOGY
  } as const
)
/** The name of a feature that can be left out. */
export type FeatureName = keyof typeof FEATURE_NAMES
