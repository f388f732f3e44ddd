import { DmaFault } from '@pcikit/core'
import type { BlockRequest } from './block-request.js'
import { BlkStatus } from './protocol.js'
import type { Surroundings } from './surroundings.js'

/** What a request comes to whose memory was not there. With the fault policy `fatal` its queue stops the device. */
export function unreachable ({ logger }: Surroundings, request: BlockRequest, fault: DmaFault): BlkStatus {
  const iova = request.lease?.isOpen === true ? `0x${request.lease.faultIova.toString(16)}` : undefined
  logger.debug(
    { type: request.type, sector: request.sector, fault, iova },
    'the memory of a request could not be reached'
  )
  return BlkStatus.IOERR
}

/** What a transfer comes to. */
export function transferred (surroundings: Surroundings, request: BlockRequest, fault: DmaFault): BlkStatus {
  return fault === DmaFault.NONE ? BlkStatus.OK : unreachable(surroundings, request, fault)
}
