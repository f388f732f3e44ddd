import { REGION_COUNT } from '@pcikit/core'
import type { RegionIndex, RegionInfo, RegionMemory } from '@pcikit/core'
import {
  RegionInfoFlags,
  RegionInfoLayout,
  SPARSE_MMAP_CAP,
  SPARSE_MMAP_VERSION,
  SparseAreaLayout,
  SparseMmapLayout
} from '../layouts/region-info.js'
import type { ReplyWriter } from '../reply-writer.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/** Tells about one region. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const handleRegionInfo: CommandHandler = (message, reply, context) => {
  requirePayload(message, RegionInfoLayout.byteLength)
  const { view, position } = message
  const argsz = RegionInfoLayout.argsz.get(view, position)
  requireArgsz(message, argsz, RegionInfoLayout.byteLength)
  const index = RegionInfoLayout.index.get(view, position)
  if (index >= REGION_COUNT) throw invalid(message, `asks for region ${index} of ${REGION_COUNT}`)
  const info = context.function.region(index as RegionIndex)
  const memory = context.agreement.clientDescriptorsMax > 0 && info.byteLength > 0 ? info.memory : undefined
  const needed = RegionInfoLayout.byteLength + capabilityBytes(memory)
  // "That the full payload is not included" shows in argsz alone: the flag for capabilities is clear then.
  const withCapabilities = needed > RegionInfoLayout.byteLength && needed <= argsz
  const at = reply.payload(withCapabilities ? needed : RegionInfoLayout.byteLength)
  writeRegion(reply, at, info, memory)
  RegionInfoLayout.argsz.set(reply.view, at, needed)
  if (memory === undefined) return
  reply.attach([memory.descriptor], { isOwned: false })
  if (withCapabilities) writeSparseAreas(reply, at, memory)
}

function capabilityBytes (memory: RegionMemory | undefined): number {
  if (memory === undefined || memory.areas.length === 0) return 0
  return SparseMmapLayout.byteLength + memory.areas.length * SparseAreaLayout.byteLength
}

function writeRegion (reply: ReplyWriter, at: number, info: RegionInfo, memory: RegionMemory | undefined): void {
  let flags = 0
  if (info.byteLength > 0) {
    flags = RegionInfoFlags.READ.set(flags, info.readable ? 1 : 0)
    flags = RegionInfoFlags.WRITE.set(flags, info.writable ? 1 : 0)
    flags = RegionInfoFlags.MMAP.set(flags, memory === undefined ? 0 : 1)
  }
  RegionInfoLayout.flags.set(reply.view, at, flags)
  RegionInfoLayout.index.set(reply.view, at, info.index)
  RegionInfoLayout.capOffset.set(reply.view, at, 0)
  RegionInfoLayout.size.set(reply.view, at, info.byteLength)
  RegionInfoLayout.offset.set(reply.view, at, memory?.fileOffset ?? 0)
}

function writeSparseAreas (reply: ReplyWriter, at: number, memory: RegionMemory): void {
  const { view } = reply
  const flags = RegionInfoLayout.flags.get(view, at)
  RegionInfoLayout.flags.set(view, at, RegionInfoFlags.CAPS.set(flags, 1))
  RegionInfoLayout.capOffset.set(view, at, RegionInfoLayout.byteLength)
  const capability = at + RegionInfoLayout.byteLength
  SparseMmapLayout.id.set(view, capability, SPARSE_MMAP_CAP)
  SparseMmapLayout.version.set(view, capability, SPARSE_MMAP_VERSION)
  SparseMmapLayout.next.set(view, capability, 0)
  SparseMmapLayout.nrAreas.set(view, capability, memory.areas.length)
  SparseMmapLayout.reserved.set(view, capability, 0)
  let entry = capability + SparseMmapLayout.byteLength
  for (const area of memory.areas) {
    SparseAreaLayout.offset.set(view, entry, area.offset)
    SparseAreaLayout.size.set(view, entry, area.byteLength)
    entry += SparseAreaLayout.byteLength
  }
}
