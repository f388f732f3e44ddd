import { Errno, ProtocolError } from '@pcikit/core'
import { DmaUnmapFlags, DmaUnmapLayout } from '../layouts/dma-region.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/**
 * Memory of the client goes. The reply is sent when nothing of it is left here. [vfio-user] "VFIO_USER_DMA_UNMAP":
 * "the server must release all references to that DMA region before replying".
 *
 * Deviation: the specification wants a range that matches one mapping exactly; QEMU does not keep to that under a
 * vIOMMU. The range may cover many regions or none, as with VFIO's type 1 IOMMU.
 */
export const handleDmaUnmap: CommandHandler = async (message, reply, context) => {
  requirePayload(message, DmaUnmapLayout.byteLength)
  const { view, position } = message
  requireArgsz(message, DmaUnmapLayout.argsz.get(view, position), DmaUnmapLayout.byteLength)
  const flags = DmaUnmapLayout.flags.get(view, position)
  const iova = DmaUnmapLayout.address.get(view, position)
  const byteLength = DmaUnmapLayout.size.get(view, position)
  const isAll = DmaUnmapFlags.ALL.isSet(flags)
  if (isAll && (iova !== 0 || byteLength !== 0)) throw invalid(message, 'means all regions, and names one')
  if (isAll && flags !== DmaUnmapFlags.ALL.mask) throw invalid(message, `has flags 0x${flags.toString(16)}`)
  // The dirty bitmap belongs to dirty tracking, which is not offered.
  if (!isAll && flags !== 0) {
    throw new ProtocolError(Errno.EOPNOTSUPP, `DMA_UNMAP has flags 0x${flags.toString(16)}, which are not supported.`)
  }
  if (!isAll && byteLength === 0) throw invalid(message, 'has a size of 0')
  if (isAll) await context.dma.unmapAll()
  else await context.dma.unmap(iova, byteLength)
  // "The server responds with the original DMA entry in the request."
  const at = reply.payload(DmaUnmapLayout.byteLength)
  for (let offset = 0; offset < DmaUnmapLayout.byteLength; offset += 4) {
    reply.view.setUint32(at + offset, view.getUint32(position + offset, true), true)
  }
}
