import { Errno, ProtocolError, REGION_COUNT } from '@pcikit/core'
import type { RegionIndex, RegionIoEvent } from '@pcikit/core'
import { IO_FD_TYPE_IOEVENTFD, IoEventFlags, IoEventLayout, RegionIoFdsLayout } from '../layouts/region-io-fds.js'
import type { ReplyWriter } from '../reply-writer.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/** Tells which writes may come as events instead of messages. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_IO_FDS". */
export const handleRegionIoFds: CommandHandler = (message, reply, context) => {
  requirePayload(message, RegionIoFdsLayout.byteLength)
  const { view, position } = message
  const argsz = RegionIoFdsLayout.argsz.get(view, position)
  requireArgsz(message, argsz, RegionIoFdsLayout.byteLength)
  const index = RegionIoFdsLayout.index.get(view, position)
  if (index >= REGION_COUNT) throw invalid(message, `asks for region ${index} of ${REGION_COUNT}`)
  if (argsz > context.agreement.transferBytesMax) throw invalid(message, `has an argsz of ${argsz}`)
  // "The client must set flags to zero", and count with all other fields.
  if (RegionIoFdsLayout.flags.get(view, position) !== 0) throw invalid(message, 'has flags')
  if (RegionIoFdsLayout.count.get(view, position) !== 0) throw invalid(message, 'has a count')
  const info = context.function.region(index as RegionIndex)
  if (info.byteLength === 0) throw invalid(message, `asks for region ${index}, which this device does not have`)
  const events = info.ioEvents ?? []
  const needed = RegionIoFdsLayout.byteLength + events.length * IoEventLayout.byteLength
  const fits = needed <= argsz
  const descriptors = [...new Set(events.map(event => event.descriptor))]
  if (fits && descriptors.length > context.agreement.clientDescriptorsMax) {
    throw new ProtocolError(Errno.ENOSPC, `Region ${index} has more descriptors than the client takes in one message.`)
  }
  const at = reply.payload(fits ? needed : RegionIoFdsLayout.byteLength)
  RegionIoFdsLayout.argsz.set(reply.view, at, needed)
  RegionIoFdsLayout.flags.set(reply.view, at, 0)
  RegionIoFdsLayout.index.set(reply.view, at, index)
  RegionIoFdsLayout.count.set(reply.view, at, fits ? events.length : 0)
  if (!fits) return
  let entry = at + RegionIoFdsLayout.byteLength
  for (const event of events) {
    writeEvent(reply, entry, event, descriptors.indexOf(event.descriptor))
    entry += IoEventLayout.byteLength
  }
  reply.attach(descriptors, { isOwned: false })
}

function writeEvent (reply: ReplyWriter, at: number, event: RegionIoEvent, descriptorIndex: number): void {
  const { view } = reply
  const match = event.dataMatch ?? 0n
  IoEventLayout.offset.set(view, at, event.offset)
  IoEventLayout.size.set(view, at, event.byteLength)
  IoEventLayout.fdIndex.set(view, at, descriptorIndex)
  IoEventLayout.type.set(view, at, IO_FD_TYPE_IOEVENTFD)
  IoEventLayout.flags.set(view, at, event.dataMatch === undefined ? 0 : IoEventFlags.DATAMATCH.mask)
  IoEventLayout.padding.set(view, at, 0)
  IoEventLayout.datamatchLow.set(view, at, Number(match & 0xffff_ffffn))
  IoEventLayout.datamatchHigh.set(view, at, Number((match >> 32n) & 0xffff_ffffn))
}
