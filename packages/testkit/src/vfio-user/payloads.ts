import { DeviceInfo, DmaMap, DmaUnmap, IrqInfoLayout, RegionAccessLayout, SingleWrite, WriteMulti } from './layouts.js'
import { setUint64 } from './message.js'
import type { Message } from './message.js'
import { DmaMapFlags } from './protocol.js'

/** A DMA_MAP. */
export interface DmaMapping {
  readonly iova: number | bigint
  readonly byteLength: number | bigint
  /** The file to share. Without it the server has to ask by message. */
  readonly descriptor?: number
  readonly fileOffset?: number | bigint
  /** Bits of {@link DmaMapFlags}, readable and writeable unless given. */
  readonly flags?: number
}

/** One write of a WRITE_MULTI: at most eight bytes. */
export interface SmallWrite {
  readonly region: number
  readonly offset: number
  readonly data: Uint8Array
}

/** A reply to GET_INFO. */
export interface DeviceInfoReply {
  readonly argsz: number
  readonly flags: number
  readonly regionCount: number
  readonly irqCount: number
}

/** A reply to GET_IRQ_INFO. */
export interface IrqInfoReply {
  readonly argsz: number
  readonly flags: number
  readonly index: number
  readonly count: number
}

/** What a reply to DMA_UNMAP repeats. */
export interface UnmapReply {
  readonly iova: number
  readonly byteLength: number
  readonly flags: number
}

/** The payload of a DMA_MAP. */
export function encodeDmaMap (mapping: DmaMapping): Uint8Array {
  const payload = new Uint8Array(DmaMap.byteLength)
  const view = new DataView(payload.buffer)
  DmaMap.argsz.set(view, 0, DmaMap.byteLength)
  DmaMap.flags.set(view, 0, mapping.flags ?? (DmaMapFlags.READABLE | DmaMapFlags.WRITEABLE))
  setUint64(view, DmaMap.offset.offset, mapping.fileOffset ?? 0)
  setUint64(view, DmaMap.address.offset, mapping.iova)
  setUint64(view, DmaMap.size.offset, mapping.byteLength)
  return payload
}

/** The payload of a DMA_UNMAP. */
export function encodeDmaUnmap (iova: number | bigint, byteLength: number | bigint, flags: number): Uint8Array {
  const payload = new Uint8Array(DmaUnmap.byteLength)
  const view = new DataView(payload.buffer)
  DmaUnmap.argsz.set(view, 0, DmaUnmap.byteLength)
  DmaUnmap.flags.set(view, 0, flags)
  setUint64(view, DmaUnmap.address.offset, iova)
  setUint64(view, DmaUnmap.size.offset, byteLength)
  return payload
}

/** Reads a reply to DMA_UNMAP. */
export function decodeDmaUnmap ({ view }: Message): UnmapReply {
  return {
    iova: DmaUnmap.address.get(view, 0),
    byteLength: DmaUnmap.size.get(view, 0),
    flags: DmaUnmap.flags.get(view, 0)
  }
}

/** Reads a reply to GET_INFO. */
export function decodeDeviceInfo ({ view }: Message): DeviceInfoReply {
  return {
    argsz: DeviceInfo.argsz.get(view, 0),
    flags: DeviceInfo.flags.get(view, 0),
    regionCount: DeviceInfo.numRegions.get(view, 0),
    irqCount: DeviceInfo.numIrqs.get(view, 0)
  }
}

/** Reads a reply to GET_IRQ_INFO. */
export function decodeIrqInfo ({ view }: Message): IrqInfoReply {
  return {
    argsz: IrqInfoLayout.argsz.get(view, 0),
    flags: IrqInfoLayout.flags.get(view, 0),
    index: IrqInfoLayout.index.get(view, 0),
    count: IrqInfoLayout.count.get(view, 0)
  }
}

/** The payload of a REGION_READ, or with data of a REGION_WRITE. */
export function encodeRegionAccess (
  region: number,
  offset: number,
  count: number,
  data?: Uint8Array
): Uint8Array {
  const payload = new Uint8Array(RegionAccessLayout.byteLength + (data?.length ?? 0))
  const view = new DataView(payload.buffer)
  setUint64(view, RegionAccessLayout.offset.offset, offset)
  RegionAccessLayout.region.set(view, 0, region)
  RegionAccessLayout.count.set(view, 0, count)
  if (data !== undefined) payload.set(data, RegionAccessLayout.byteLength)
  return payload
}

/** The payload of a REGION_WRITE_MULTI. */
export function encodeWrites (writes: readonly SmallWrite[]): Uint8Array {
  const payload = new Uint8Array(WriteMulti.byteLength + writes.length * SingleWrite.byteLength)
  const view = new DataView(payload.buffer)
  WriteMulti.wrCnt.set(view, 0, writes.length)
  writes.forEach((write, at) => {
    const base = WriteMulti.byteLength + at * SingleWrite.byteLength
    setUint64(view, base + SingleWrite.offset.offset, write.offset)
    SingleWrite.region.set(view, base, write.region)
    SingleWrite.count.set(view, base, write.data.length)
    payload.set(write.data, base + SingleWrite.data.offset)
  })
  return payload
}
