import type { RegionIndex } from '@pcikit/core'
import {
  SINGLE_WRITE_BYTES_MAX,
  SINGLE_WRITE_DATA_OFFSET,
  SingleWriteLayout,
  WriteMultiLayout
} from '../layouts/region-access.js'
import type { Message } from '../message.js'
import { invalid, requirePayload } from '../request-context.js'
import type { CommandHandler, RequestContext } from '../request-context.js'

/**
 * Several small writes in one message, done in their order. [vfio-user] "VFIO_USER_REGION_WRITE_MULTI". None is done
 * when one of them cannot be.
 */
export const handleWriteMulti: CommandHandler = (message, reply, context) => {
  if (!context.agreement.writeMultiple) throw invalid(message, 'was not agreed on')
  requirePayload(message, WriteMultiLayout.byteLength)
  const count = WriteMultiLayout.wrCnt.get(message.view, message.position)
  const needed = WriteMultiLayout.byteLength + count * SingleWriteLayout.byteLength
  if (message.byteLength !== needed) {
    throw invalid(message, `has a payload of ${message.byteLength} bytes for ${count} writes`)
  }
  for (let nth = 0; nth < count; nth++) checkWrite(message, positionOf(message, nth), context)
  const at = reply.payload(WriteMultiLayout.byteLength)
  WriteMultiLayout.wrCnt.set(reply.view, at, count)
  return writeFrom(message, 0, count, context)
}

function positionOf (message: Message, nth: number): number {
  return message.position + WriteMultiLayout.byteLength + nth * SingleWriteLayout.byteLength
}

function checkWrite (message: Message, at: number, context: RequestContext): void {
  const count = SingleWriteLayout.count.get(message.view, at)
  const index = SingleWriteLayout.region.get(message.view, at)
  const offset = SingleWriteLayout.offset.get(message.view, at)
  if (count <= SINGLE_WRITE_BYTES_MAX && context.regions.contains(index, offset, count)) return
  throw invalid(message, `means ${count} bytes at 0x${offset.toString(16)} of region ${index}`)
}

/** Goes on with the write after the one that took its time. */
function writeFrom (message: Message, first: number, end: number, context: RequestContext): void | Promise<void> {
  const { view } = message
  for (let nth = first; nth < end; nth++) {
    const at = positionOf(message, nth)
    const count = SingleWriteLayout.count.get(view, at)
    const index = SingleWriteLayout.region.get(view, at)
    if (count === 0 || !context.regions.isWritable(index)) continue
    const offset = SingleWriteLayout.offset.get(view, at)
    const data = at + SINGLE_WRITE_DATA_OFFSET
    const pending = context.function.writeRegion(index as RegionIndex, offset, view, data, count)
    if (pending !== undefined) return pending.then(() => writeFrom(message, nth + 1, end, context))
  }
}
