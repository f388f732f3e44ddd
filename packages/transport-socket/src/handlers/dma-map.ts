import { DmaAccess } from '@pcikit/core'
import { DmaMapFlags, DmaMapLayout } from '../layouts/dma-region.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/** The flags by which the server may write, read, or both, as the device sees it. */
const ACCESSES = new Map<number, DmaAccess>([
  [DmaMapFlags.READABLE.mask, DmaAccess.READ],
  [DmaMapFlags.WRITEABLE.mask, DmaAccess.WRITE],
  [DmaMapFlags.READABLE.mask | DmaMapFlags.WRITEABLE.mask, DmaAccess.READ_WRITE]
])

/** A region of the client's memory comes. [vfio-user] "VFIO_USER_DMA_MAP". */
export const handleDmaMap: CommandHandler = (message, _reply, context) => {
  requirePayload(message, DmaMapLayout.byteLength)
  const { view, position } = message
  requireArgsz(message, DmaMapLayout.argsz.get(view, position), DmaMapLayout.byteLength)
  const flags = DmaMapLayout.flags.get(view, position)
  // As with VFIO's type 1 IOMMU, a region that cannot be accessed in any way is a mistake.
  const access = ACCESSES.get(flags)
  if (access === undefined) throw invalid(message, `has flags 0x${flags.toString(16)}, not readable or writeable`)
  if (message.descriptors.length > 1) {
    throw invalid(message, `came with ${message.descriptors.length} descriptors for one region`)
  }
  const fileOffset = DmaMapLayout.offset.get(view, position)
  if (!Number.isSafeInteger(fileOffset)) throw invalid(message, 'has a file offset of 2^53 or more')
  const region = {
    iova: DmaMapLayout.address.get(view, position),
    byteLength: DmaMapLayout.size.get(view, position),
    access,
    fileOffset
  }
  const [descriptor] = message.takeDescriptors()
  context.dma.map(descriptor === undefined ? region : { ...region, descriptor })
}
