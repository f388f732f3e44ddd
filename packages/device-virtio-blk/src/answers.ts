import type { BlockRequest, Outcome } from './block-request.js'
import { LifetimeLayout } from './layouts.js'
import { BlkFeature, BlkStatus, ID_BYTES } from './protocol.js'
import type { Surroundings } from './surroundings.js'
import { transferred } from './unreachable.js'

/** VIRTIO_BLK_T_GET_ID: as much of the string as there is room for. [virtio] "Block Device", "Device Operation". */
export function getId (surroundings: Surroundings, request: BlockRequest): Outcome {
  const { id } = surroundings
  const room = request.chain.writable.byteLength - 1
  return answer(surroundings, request, room < ID_BYTES ? id.subarray(0, room) : id, 0)
}

/** VIRTIO_BLK_T_GET_LIFETIME. [virtio] "Block Device", "Device Operation". */
export function getLifetime (surroundings: Surroundings, request: BlockRequest): Outcome {
  const { lifetime, features } = surroundings
  if (lifetime === undefined || !features.has(BlkFeature.LIFETIME)) return BlkStatus.UNSUPP
  if (request.chain.writable.byteLength - 1 < LifetimeLayout.byteLength) return BlkStatus.IOERR
  return answer(surroundings, request, lifetime, 0)
}

/** Gives the driver data of ours, at an offset of the writable part. */
export function answer (surroundings: Surroundings, request: BlockRequest, bytes: Uint8Array, offset: number): Outcome {
  request.writtenBytes = offset + bytes.length
  const fault = request.chain.writable.write(offset, bytes)
  if (typeof fault === 'number') return transferred(surroundings, request, fault)
  return fault.then(late => transferred(surroundings, request, late))
}
