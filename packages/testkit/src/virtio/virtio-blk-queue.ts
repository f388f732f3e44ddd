import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import { BlkHeader, BlkLifetime, BlkSegment, ID_BYTES } from './blk-layouts.js'
import { SEGMENT_UNMAP, VirtioBlkRequest, VirtioBlkStatus } from './blk-layouts.js'
import type { ChainFraming, GuestBuffer } from './descriptor.js'
import type { Virtqueue } from './virtqueue.js'

/** How a request is put into buffers, and these into descriptors. */
export interface BlkFraming extends ChainFraming {
  /** Header and data follow one another in memory, in one descriptor unless that is cut. */
  readonly joinHeader?: boolean
  /** Data and status follow one another in memory, in one descriptor unless that is cut. */
  readonly joinStatus?: boolean
}

/** A request as it stands, right or wrong. */
export interface BlkRequest {
  readonly type: number
  readonly sector?: number
  /** Bytes that the device reads after the header. */
  readonly out?: DataBuffer | Uint8Array
  /** Bytes that the device writes before the status. */
  readonly in?: DataBuffer | number
  readonly framing?: BlkFraming
  /** Milliseconds until it must have come back; 0: for ever. */
  readonly timeoutMs?: number
}

/** What a request came to. */
export interface BlkAnswer {
  /** The status byte; {@link NO_STATUS} where the device did not write it. */
  readonly status: number
  /** What the device wrote before the status. */
  readonly data: Uint8Array
  /** Bytes that the used element says were written, status included. */
  readonly written: number
}

/** What the status byte is before the device writes it. */
export const NO_STATUS = 0xee

/** A transfer between sectors and a buffer. */
export interface BlkTransfer {
  /** The first sector. */
  readonly slba: number
  readonly buffer: DataBuffer
  readonly framing?: BlkFraming
}

/** A range of sectors, for discard, write zeroes and secure erase. */
export interface BlkSegmentRange {
  readonly sector: number
  readonly sectorCount: number
  readonly unmap?: boolean
}

/** A request that the device answered with a status other than OK. */
export class VirtioBlkError extends Error {
  readonly status: number

  constructor (what: string, status: number) {
    const name = Object.entries(VirtioBlkStatus).find(([, value]) => value === status)?.[0] ?? String(status)
    super(`${what} ended with status ${name}.`)
    this.name = 'VirtioBlkError'
    this.status = status
  }
}

/** Requests on one queue of a block device. All but `submit` throw VirtioBlkError for any status but OK. */
export class VirtioBlkQueue {
  readonly queue: Virtqueue
  readonly #memory: GuestMemory
  readonly #framing: BlkFraming

  /** `framing` is for requests that do not say otherwise. */
  constructor (queue: Virtqueue, memory: GuestMemory, framing: BlkFraming = {}) {
    this.queue = queue
    this.#memory = memory
    this.#framing = framing
  }

  /** Submits any request and resolves with its answer, whatever its status. */
  async submit (request: BlkRequest): Promise<BlkAnswer> {
    const framing = request.framing ?? this.#framing
    const readable = this.#placeReadable(request, framing)
    const writable = this.#placeWritable(request, framing)
    const options = request.timeoutMs === undefined ? framing : { ...framing, timeoutMs: request.timeoutMs }
    try {
      const chain = { readable: readable.buffers, writable: writable.buffers }
      const { written } = await this.queue.submit(chain, options)
      const bytes = this.#gather(writable.buffers)
      const data = bytes.subarray(0, bytes.length - 1)
      if (request.in instanceof DataBuffer && framing.joinStatus === true) request.in.write(data)
      return { status: bytes.at(-1)!, data, written }
    } finally {
      for (const iova of [...readable.allocated, ...writable.allocated]) this.#memory.free(iova)
    }
  }

  async read (transfer: BlkTransfer): Promise<void> {
    const { slba: sector, buffer, ...rest } = transfer
    check('Read', await this.submit({ type: VirtioBlkRequest.IN, sector, in: buffer, ...framingOf(rest) }))
  }

  async write (transfer: BlkTransfer): Promise<void> {
    const { slba: sector, buffer, ...rest } = transfer
    check('Write', await this.submit({ type: VirtioBlkRequest.OUT, sector, out: buffer, ...framingOf(rest) }))
  }

  async flush (): Promise<void> {
    check('Flush', await this.submit({ type: VirtioBlkRequest.FLUSH }))
  }

  async discard (ranges: readonly BlkSegmentRange[]): Promise<void> {
    check('Discard', await this.submit({ type: VirtioBlkRequest.DISCARD, out: encodeSegments(ranges) }))
  }

  async writeZeroes (ranges: readonly BlkSegmentRange[]): Promise<void> {
    check('Write zeroes', await this.submit({ type: VirtioBlkRequest.WRITE_ZEROES, out: encodeSegments(ranges) }))
  }

  async secureErase (ranges: readonly BlkSegmentRange[]): Promise<void> {
    check('Secure erase', await this.submit({ type: VirtioBlkRequest.SECURE_ERASE, out: encodeSegments(ranges) }))
  }

  /** The device ID string. */
  async getId (): Promise<string> {
    const answer = await this.submit({ type: VirtioBlkRequest.GET_ID, in: ID_BYTES })
    check('Get ID', answer)
    const end = answer.data.indexOf(0)
    return Buffer.from(answer.data.subarray(0, end < 0 ? ID_BYTES : end)).toString('latin1')
  }

  async getLifetime (): Promise<{ readonly preEolInfo: number, readonly typA: number, readonly typB: number }> {
    const answer = await this.submit({ type: VirtioBlkRequest.GET_LIFETIME, in: BlkLifetime.byteLength })
    check('Get lifetime', answer)
    const view = new DataView(answer.data.buffer, answer.data.byteOffset, answer.data.byteLength)
    const { preEolInfo, typA, typB } = BlkLifetime
    return { preEolInfo: preEolInfo.get(view, 0), typA: typA.get(view, 0), typB: typB.get(view, 0) }
  }

  /** Writes bytes from a buffer of its own. */
  async writeBytes (sector: number, bytes: Uint8Array): Promise<void> {
    check('Write', await this.submit({ type: VirtioBlkRequest.OUT, sector, out: bytes }))
  }

  /** Reads bytes through a buffer of its own. */
  async readBytes (sector: number, byteLength: number): Promise<Uint8Array> {
    const answer = await this.submit({ type: VirtioBlkRequest.IN, sector, in: byteLength })
    check('Read', answer)
    return answer.data
  }

  #placeReadable ({ type, sector = 0, out }: BlkRequest, framing: BlkFraming): Placed {
    const header = new Uint8Array(BlkHeader.byteLength)
    const view = new DataView(header.buffer)
    BlkHeader.type.set(view, 0, type)
    BlkHeader.sector.set(view, 0, sector)
    const data = out instanceof DataBuffer && framing.joinHeader === true ? out.read() : out
    if (data === undefined || data instanceof DataBuffer) {
      const placed = this.#place([header])
      return data === undefined ? placed : { ...placed, buffers: [...placed.buffers, ...buffersOf(data)] }
    }
    if (framing.joinHeader !== true) return this.#place([header, data])
    return this.#place([Buffer.concat([header, data])])
  }

  #placeWritable ({ in: data = 0 }: BlkRequest, framing: BlkFraming): Placed {
    const status = new Uint8Array(1).fill(NO_STATUS)
    if (data instanceof DataBuffer && framing.joinStatus !== true) {
      const placed = this.#place([status])
      return { ...placed, buffers: [...buffersOf(data), ...placed.buffers] }
    }
    const byteLength = typeof data === 'number' ? data : data.byteLength
    if (byteLength === 0) return this.#place([status])
    const empty = new Uint8Array(byteLength).fill(NO_STATUS)
    return framing.joinStatus === true ? this.#place([Buffer.concat([empty, status])]) : this.#place([empty, status])
  }

  /** Puts runs of bytes into memory, each at an odd place of pages of its own. */
  #place (runs: readonly Uint8Array[]): Placed {
    const allocated: number[] = []
    const buffers = runs.map(bytes => {
      const start = this.#memory.allocate(bytes.length + ODD_OFFSET)
      allocated.push(start)
      this.#memory.store(start + ODD_OFFSET, bytes)
      return { iova: start + ODD_OFFSET, byteLength: bytes.length }
    })
    return { buffers, allocated }
  }

  #gather (buffers: readonly GuestBuffer[]): Uint8Array {
    const parts = buffers.map(({ iova, byteLength }) => this.#memory.bytesAt(iova, byteLength))
    return new Uint8Array(Buffer.concat(parts))
  }
}

/** Nothing that a driver places has to be aligned. */
const ODD_OFFSET = 13

interface Placed {
  readonly buffers: readonly GuestBuffer[]
  readonly allocated: readonly number[]
}

/** Segments of discard, write zeroes and secure erase, as the device reads them. */
export function encodeSegments (ranges: readonly BlkSegmentRange[]): Uint8Array {
  const bytes = new Uint8Array(ranges.length * BlkSegment.byteLength)
  const view = new DataView(bytes.buffer)
  ranges.forEach(({ sector, sectorCount, unmap = false }, index) => {
    const base = index * BlkSegment.byteLength
    BlkSegment.sector.set(view, base, sector)
    BlkSegment.numSectors.set(view, base, sectorCount)
    BlkSegment.flags.set(view, base, unmap ? SEGMENT_UNMAP : 0)
  })
  return bytes
}

/** The pages of a buffer, those that follow one another as one. */
export function buffersOf (buffer: DataBuffer): GuestBuffer[] {
  const buffers: { iova: number, byteLength: number }[] = []
  let remaining = buffer.byteLength
  for (const iova of buffer.pages) {
    const byteLength = Math.min(remaining, PAGE_BYTES - iova % PAGE_BYTES)
    const last = buffers.at(-1)
    if (last !== undefined && last.iova + last.byteLength === iova) last.byteLength += byteLength
    else buffers.push({ iova, byteLength })
    remaining -= byteLength
  }
  return buffers
}

const PAGE_BYTES = 4096

function framingOf ({ framing }: { readonly framing?: BlkFraming }): { readonly framing?: BlkFraming } {
  return framing === undefined ? {} : { framing }
}

function check (what: string, { status }: BlkAnswer): void {
  if (status !== VirtioBlkStatus.OK) throw new VirtioBlkError(what, status)
}
