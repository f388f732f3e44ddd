import type { Outcome } from './block-request.js'
import { BlkStatus } from './protocol.js'
import type { Surroundings } from './surroundings.js'

/** VIRTIO_BLK_T_FLUSH: makes what was written so far durable. [virtio] "Block Device", "Device Operation". */
export function flush ({ disk, zones }: Surroundings): Outcome {
  if (zones !== undefined) return succeeded(zones.flush())
  return disk.backend.hasVolatileCache ? succeeded(disk.backend.flush()) : BlkStatus.OK
}

/** What a change of the disk comes to: durable at once where there is no write cache for the driver. */
export function settled (surroundings: Surroundings): Outcome {
  return surroundings.config.isWriteback ? BlkStatus.OK : flush(surroundings)
}

/** OK once the work is done. */
export function succeeded (pending: void | Promise<void>): Outcome {
  return pending === undefined ? BlkStatus.OK : pending.then(() => BlkStatus.OK)
}
