import { CapHeader, RegionInfoLayout, RegionIoFds, SparseArea, SparseMmap, SubRegion } from './layouts.js'
import type { Message } from './message.js'
import { RegionFlags, SPARSE_MMAP_CAPABILITY } from './protocol.js'

/** A part of a region that can be mapped. */
export interface Area {
  readonly offset: number
  readonly byteLength: number
}

/** A reply to GET_REGION_INFO. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export interface Region {
  readonly index: number
  /** How many bytes the full reply has. */
  readonly argsz: number
  readonly flags: number
  readonly byteLength: number
  /** What mapping adds to offsets in the region. */
  readonly fileOffset: number
  readonly readable: boolean
  readonly writable: boolean
  readonly mappable: boolean
  /** The areas of the sparse mmap capability, or undefined where the reply had none. */
  readonly areas: readonly Area[] | undefined
  /** What came with the reply, owned by the caller. */
  readonly descriptors: readonly number[]
}

/** One entry of a reply to GET_REGION_IO_FDS. [vfio-user] "Sub-Region IO FD info format (ioeventfd)". */
export interface RegionIoFd {
  readonly offset: number
  readonly byteLength: number
  /** Index in the descriptors of the reply. */
  readonly fdIndex: number
  readonly type: number
  readonly flags: number
  readonly datamatch: bigint
}

/** Decodes a reply to GET_REGION_INFO. Throws RangeError where its capabilities leave the reply or never end. */
export function decodeRegion (message: Message): Region {
  const { view, payload, descriptors } = message
  if (payload.length < RegionInfoLayout.byteLength) throw new RangeError('A region info reply is too short.')
  const flags = RegionInfoLayout.flags.get(view, 0)
  return {
    index: RegionInfoLayout.index.get(view, 0),
    argsz: RegionInfoLayout.argsz.get(view, 0),
    flags,
    byteLength: RegionInfoLayout.size.get(view, 0),
    fileOffset: RegionInfoLayout.offset.get(view, 0),
    readable: (flags & RegionFlags.READ) !== 0,
    writable: (flags & RegionFlags.WRITE) !== 0,
    mappable: (flags & RegionFlags.MMAP) !== 0,
    areas: (flags & RegionFlags.CAPS) === 0 ? undefined : decodeAreas(view),
    descriptors
  }
}

/** Decodes a reply to GET_REGION_IO_FDS. */
export function decodeRegionIoFds (message: Message): { argsz: number, index: number, entries: RegionIoFd[] } {
  const { view } = message
  const count = RegionIoFds.count.get(view, 0)
  const entries: RegionIoFd[] = []
  for (let entry = 0; entry < count; entry++) {
    const base = RegionIoFds.byteLength + entry * SubRegion.byteLength
    if (base + SubRegion.byteLength > view.byteLength) break
    entries.push({
      offset: SubRegion.offset.get(view, base),
      byteLength: SubRegion.size.get(view, base),
      fdIndex: SubRegion.fdIndex.get(view, base),
      type: SubRegion.type.get(view, base),
      flags: SubRegion.flags.get(view, base),
      datamatch: view.getBigUint64(base + SubRegion.datamatch.offset, true)
    })
  }
  return { argsz: RegionIoFds.argsz.get(view, 0), index: RegionIoFds.index.get(view, 0), entries }
}

function decodeAreas (view: DataView): Area[] | undefined {
  const visited = new Set<number>()
  for (let at = RegionInfoLayout.capOffset.get(view, 0); at !== 0; at = CapHeader.next.get(view, at)) {
    if (visited.has(at)) throw new RangeError('The capabilities of a region info reply never end.')
    visited.add(at)
    if (at + CapHeader.byteLength > view.byteLength) throw new RangeError('A region capability leaves the reply.')
    if (CapHeader.id.get(view, at) === SPARSE_MMAP_CAPABILITY) return decodeSparse(view, at + CapHeader.byteLength)
  }
  return undefined
}

function decodeSparse (view: DataView, base: number): Area[] {
  const count = SparseMmap.nrAreas.get(view, base)
  const first = base + SparseMmap.byteLength
  if (first + count * SparseArea.byteLength > view.byteLength) throw new RangeError('A sparse area leaves the reply.')
  return Array.from({ length: count }, (_, area) => ({
    offset: SparseArea.offset.get(view, first + area * SparseArea.byteLength),
    byteLength: SparseArea.size.get(view, first + area * SparseArea.byteLength)
  }))
}
