import type { RegionIndex } from '@pcikit/core'
import { RegionAccessLayout } from '../layouts/region-access.js'
import type { Message } from '../message.js'
import type { ReplyWriter } from '../reply-writer.js'
import { invalid, requirePayload } from '../request-context.js'
import type { CommandHandler, RequestContext } from '../request-context.js'

/** Reads from a region. [vfio-user] "VFIO_USER_REGION_READ". */
export const handleRegionRead: CommandHandler = (message, reply, context) => {
  const count = checkAccess(message, context)
  const at = writeAccess(message, reply, count) + RegionAccessLayout.byteLength
  if (count === 0) return
  const index = RegionAccessLayout.region.get(message.view, message.position)
  const offset = RegionAccessLayout.offset.get(message.view, message.position)
  if (!context.regions.isReadable(index)) {
    for (let nth = 0; nth < count; nth++) reply.view.setUint8(at + nth, 0)
    return
  }
  return context.function.readRegion(index as RegionIndex, offset, reply.view, at, count)
}

/** Writes to a region. [vfio-user] "VFIO_USER_REGION_WRITE". */
export const handleRegionWrite: CommandHandler = (message, reply, context) => {
  const count = checkAccess(message, context)
  const dataBytes = message.byteLength - RegionAccessLayout.byteLength
  if (dataBytes !== count) throw invalid(message, `has ${dataBytes} bytes of data and a count of ${count}`)
  if (message.wantsReply) writeAccess(message, reply, 0)
  const index = RegionAccessLayout.region.get(message.view, message.position)
  if (count === 0 || !context.regions.isWritable(index)) return
  const offset = RegionAccessLayout.offset.get(message.view, message.position)
  const data = message.position + RegionAccessLayout.byteLength
  return context.function.writeRegion(index as RegionIndex, offset, message.view, data, count)
}

/** Throws ProtocolError EINVAL unless the access lies in a region; gives its length. */
function checkAccess (message: Message, context: RequestContext): number {
  requirePayload(message, RegionAccessLayout.byteLength)
  const { view, position } = message
  const count = RegionAccessLayout.count.get(view, position)
  const index = RegionAccessLayout.region.get(view, position)
  const offset = RegionAccessLayout.offset.get(view, position)
  // "The count field must not exceed the value of max_data_xfer_size of the peer."
  if (count > context.agreement.transferBytesMax) throw invalid(message, `has a count of ${count}`)
  if (context.regions.contains(index, offset, count)) return count
  throw invalid(message, `means ${count} bytes at 0x${offset.toString(16)} of region ${index}, which are not there`)
}

/** Repeats the fields of the request in the reply, with room for data, and gives the position of the payload. */
function writeAccess (message: Message, reply: ReplyWriter, dataBytes: number): number {
  const at = reply.payload(RegionAccessLayout.byteLength + dataBytes)
  for (let offset = 0; offset < RegionAccessLayout.byteLength; offset += 4) {
    reply.view.setUint32(at + offset, message.view.getUint32(message.position + offset, true), true)
  }
  return at
}
