import type { LateRanges } from '@pcikit/block'
import type { Logger } from '@pcikit/core'
import type { FeatureSet } from '@pcikit/virtio'
import type { BlockConfig } from './block-config.js'
import type { BlockRequest } from './block-request.js'
import type { Disk } from './disk.js'
import type { Zones } from './zones/zones.js'

/** What requests work with. */
export interface Surroundings {
  readonly disk: Disk
  readonly config: BlockConfig
  /** What was negotiated. */
  readonly features: FeatureSet
  readonly late: LateRanges<BlockRequest>
  /** Only of a zoned device. */
  readonly zones: Zones | undefined
  /** What GET_ID gives, padded with zeroes. */
  readonly id: Uint8Array
  /** What GET_LIFETIME gives, where it is known. */
  readonly lifetime: Uint8Array | undefined
  readonly logger: Logger
}
