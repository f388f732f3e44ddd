import { VirtioFeature } from '@pcikit/virtio'
import type { Disk } from './disk.js'
import { FEATURE_NAMES } from './feature-names.js'
import type { VirtioBlkOptions } from './options.js'
import { BlkFeature } from './protocol.js'

/** The features that the options take away, those of queues and transport too. */
export function withoutFeatures ({ withoutFeatures, inOrder }: VirtioBlkOptions): number[] {
  const named = withoutFeatures.map(name => FEATURE_NAMES[name])
  return inOrder ? named : [...named, VirtioFeature.IN_ORDER]
}

/** The features of the block device that are offered. [virtio] "Block Device", "Feature bits". */
export function offeredFeatures (options: VirtioBlkOptions, disk: Disk): number[] {
  const without = new Set(withoutFeatures(options))
  // "Devices SHOULD always offer VIRTIO_BLK_F_FLUSH, and MUST offer it if they offer VIRTIO_BLK_F_CONFIG_WCE."
  if (without.has(BlkFeature.FLUSH)) without.add(BlkFeature.CONFIG_WCE)
  const isWritable = !disk.readOnly
  const isZoned = options.zoned !== undefined
  const conditions: readonly (readonly [BlkFeature, boolean])[] = [
    [BlkFeature.SIZE_MAX, options.sizeMax !== undefined],
    [BlkFeature.SEG_MAX, true],
    [BlkFeature.GEOMETRY, true],
    [BlkFeature.RO, disk.readOnly],
    [BlkFeature.BLK_SIZE, true],
    [BlkFeature.FLUSH, true],
    [BlkFeature.TOPOLOGY, true],
    [BlkFeature.CONFIG_WCE, true],
    [BlkFeature.MQ, options.queues > 1],
    // Zones are reset. A host-managed device does not do both, and Linux does not discard on a host-aware one.
    [BlkFeature.DISCARD, options.discard && isWritable && disk.backend.supportsDiscard && !isZoned],
    [BlkFeature.WRITE_ZEROES, options.writeZeroes && isWritable],
    [BlkFeature.SECURE_ERASE, options.secureErase && isWritable],
    [BlkFeature.LIFETIME, options.lifetime !== undefined],
    [BlkFeature.ZONED, isZoned]
  ]
  return conditions.filter(([bit, isOffered]) => isOffered && !without.has(bit)).map(([bit]) => bit)
}
