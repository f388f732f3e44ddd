import { BlkHeader, VirtioBlkRequest } from '../../../packages/testkit/dist/virtio/blk-layouts.js'
import { DESCRIPTOR_BYTES, DescriptorFlag } from '../../../packages/testkit/dist/virtio/layouts.js'

/** The parts of a queue, as addresses. */
export interface BlkQueuePlace {
  readonly size: number
  readonly descriptorArea: number
  readonly driverArea: number
  readonly deviceArea: number
}

/** Where a ring is, and what its requests are. */
export interface BlkRingOptions {
  /** The memory, seen from here. */
  readonly view: DataView
  readonly words: Uint32Array
  /** Where the ring begins in it, a multiple of the page, and its address for the device. */
  readonly at: number
  readonly iova: number
  /** Entries. */
  readonly size: number
  /** Requests are numbered from 0 to below this. */
  readonly requestCount: number
  readonly transferBytes: number
  /** Descriptors in a table of their own, as Linux has them, and not in the ring. */
  readonly isIndirect: boolean
}

/**
 * A driver's half of a queue of virtio-blk requests, of either format, at the least cost that there is: each request
 * has its place, and nothing is allocated or looked up for it.
 */
export interface BlkRing {
  readonly place: BlkQueuePlace
  /** Requests that came back with another status than success. */
  readonly failureCount: number
  /** Writes a request into the ring. It is seen at the next {@link publish}, or before. */
  add(request: number, isRead: boolean, sector: number, dataIova: number): void
  publish(): void
  /** Whether the device wants to be told of what was published. */
  readonly wantsNotification: boolean
  /** The next request that is back, or -1. */
  take(): number
}

const PAGE_BYTES = 4096
/** The descriptors of a request: header, data, status. */
export const CHAIN_DESCRIPTORS = 3
/** Where everything of a request is: its header, its status, its table. */
const STATUS_OFFSET = 16
const TABLE_OFFSET = 32
const REQUEST_BYTES = 128
const NO_STATUS = 0xff

/** Bytes that a ring takes at most, in either format. */
export function blkRingBytes ({ size, requestCount }: Pick<BlkRingOptions, 'size' | 'requestCount'>): number {
  return requestsOffset(size) + requestCount * REQUEST_BYTES
}

/** Offsets of the parts of a ring, in either format. */
export function driverOffset (size: number): number {
  return pages(size * DESCRIPTOR_BYTES)
}

export function deviceOffset (size: number): number {
  return driverOffset(size) + pages(6 + 2 * size)
}

function requestsOffset (size: number): number {
  return deviceOffset(size) + pages(6 + 8 * size)
}

function pages (byteLength: number): number {
  return Math.ceil(byteLength / PAGE_BYTES) * PAGE_BYTES
}

export function blkQueuePlace ({ iova, size }: BlkRingOptions): BlkQueuePlace {
  return {
    size,
    descriptorArea: iova,
    driverArea: iova + driverOffset(size),
    deviceArea: iova + deviceOffset(size)
  }
}

/** What requests consist of besides their data, and their descriptors. */
export class BlkRequests {
  readonly #options: BlkRingOptions
  readonly #at: number
  readonly #iova: number

  constructor (options: BlkRingOptions) {
    this.#options = options
    this.#at = options.at + requestsOffset(options.size)
    this.#iova = options.iova + requestsOffset(options.size)
  }

  /** Writes a header, and a status that no device does. */
  begin (request: number, isRead: boolean, sector: number): void {
    const { view } = this.#options
    const at = this.#at + request * REQUEST_BYTES
    BlkHeader.type.set(view, at, isRead ? VirtioBlkRequest.IN : VirtioBlkRequest.OUT)
    BlkHeader.sector.set(view, at, sector)
    view.setUint8(at + STATUS_OFFSET, NO_STATUS)
  }

  /** What the device says of it; 0 is success. */
  statusOf (request: number): number {
    return this.#options.view.getUint8(this.#at + request * REQUEST_BYTES + STATUS_OFFSET)
  }

  tableAt (request: number): number {
    return this.#at + request * REQUEST_BYTES + TABLE_OFFSET
  }

  tableIova (request: number): number {
    return this.#iova + request * REQUEST_BYTES + TABLE_OFFSET
  }

  /** Writes address and length of descriptor 0, 1 or 2 of a request. Returns its flags. */
  describe (request: number, index: number, at: number, isRead: boolean, dataIova: number): number {
    const { view, transferBytes } = this.#options
    const iova = this.#iova + request * REQUEST_BYTES
    if (index === 0) return storePlace(view, at, iova, STATUS_OFFSET, DescriptorFlag.NEXT)
    if (index === 2) return storePlace(view, at, iova + STATUS_OFFSET, 1, DescriptorFlag.WRITE)
    const flags = isRead ? DescriptorFlag.NEXT | DescriptorFlag.WRITE : DescriptorFlag.NEXT
    return storePlace(view, at, dataIova, transferBytes, flags)
  }

  /** Writes address and length of a descriptor that stands for the table of a request. Returns its flags. */
  describeTable (request: number, at: number): number {
    const { view } = this.#options
    return storePlace(view, at, this.tableIova(request), CHAIN_DESCRIPTORS * DESCRIPTOR_BYTES, DescriptorFlag.INDIRECT)
  }
}

function storePlace (view: DataView, at: number, iova: number, byteLength: number, flags: number): number {
  view.setUint32(at, iova >>> 0, true)
  view.setUint32(at + 4, Math.floor(iova / 0x1_0000_0000), true)
  view.setUint32(at + 8, byteLength, true)
  return flags
}
