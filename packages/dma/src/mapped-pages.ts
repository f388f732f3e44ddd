import { DmaAccess } from '@pcikit/core'
import { Mapping } from '@pcikit/native'
import { InFlight } from './in-flight.js'
import type { InUse } from './in-flight.js'
import type { Region } from './region.js'
import type { SharedFile } from './shared-file.js'

/** The most bytes that are seen through one array: every Node allows it, and all offsets are small integers. */
export const CHUNK_BYTES = 2 ** 30

/** A part of a region as arrays over its memory. They are made once and have length zero as soon as the memory went. */
export class Chunk {
  readonly pages: MappedPages
  readonly access: DmaAccess
  readonly iova: number
  readonly end: number
  /** Up to where the memory could be reached when the chunk was made. A file that grows moves the limit, not this. */
  readonly limit: number
  readonly bytes: Uint8Array
  #view: DataView | undefined = undefined
  #words: Uint32Array | undefined = undefined

  constructor (pages: MappedPages, iova: number, memory: ArrayBuffer) {
    this.pages = pages
    this.access = pages.region.access
    this.iova = iova
    this.end = iova + memory.byteLength
    this.limit = Math.min(this.end, pages.region.reachableEnd)
    this.bytes = new Uint8Array(memory)
  }

  get view (): DataView {
    return this.#view ??= new DataView(this.bytes.buffer)
  }

  get words (): Uint32Array {
    return this.#words ??= new Uint32Array(this.bytes.buffer)
  }
}

/**
 * The memory of one region, mapped into this process.
 *
 *   live ──retire──► retired, waits for its leases ──► unmapped
 *                          │                              ▲
 *                          └──cutOff──► inaccessible ─────┘
 */
export class MappedPages implements InUse {
  readonly region: Region
  /** Pieces of open leases that lie in it. */
  readonly inFlight = new InFlight()
  /** False once nobody may find the memory here any more. It may still be there, for whoever found it before. */
  isLive = true
  /** True once the pages were replaced by inaccessible ones. */
  isRevoked = false
  /** Touched since the page cache last looked for something to give up. */
  wasUsed = true
  /** Where the page cache keeps it. */
  slot = -1
  readonly #mapping: Mapping
  /** Bytes of the mapping before the region: a file of huge pages can only be mapped from the start of one. */
  readonly #lead: number
  /** Most regions have no other. */
  #first: Chunk | undefined = undefined
  readonly #others: (Chunk | undefined)[] = []

  /** Maps a region's part of its file. Throws the system error where that is not possible. */
  constructor (region: Region, file: SharedFile) {
    const exact = tryMap(region, file)
    this.region = region
    this.#lead = exact === undefined ? region.fileOffset % file.blockBytes : 0
    this.#mapping = exact ?? map(region, file, this.#lead)
  }

  /** The arrays around an address of the region. */
  chunkAt (iova: number): Chunk {
    const first = this.#first ??= this.#openChunk(0)
    if (iova < first.end) return first
    const index = Math.floor((iova - first.iova) / CHUNK_BYTES)
    return this.#others[index] ??= this.#openChunk(index)
  }

  /** Whether an access found no memory because the file had become shorter. */
  get isFaulted (): boolean {
    return this.#mapping.faulted
  }

  /**
   * Nobody finds the memory here any more. It goes, and all arrays over it become empty, as soon as no lease is open on
   * it: whoever holds one may be in the middle of a transfer, which must take place or be known to have failed.
   */
  retire (): void {
    this.isLive = false
    this.region.pages = undefined
    if (this.inFlight.count > 0) this.region.retired.push(this)
    this.inFlight.whenIdle(() => this.#release())
  }

  cutOff (): void {
    if (this.isRevoked) return
    this.isRevoked = true
    this.#mapping.revoke()
  }

  #release (): void {
    const { retired } = this.region
    if (retired.includes(this)) retired.splice(retired.indexOf(this), 1)
    this.#mapping.unmap()
  }

  #openChunk (index: number): Chunk {
    const { iova, byteLength } = this.region
    const start = index * CHUNK_BYTES
    const memory = this.#mapping.window(this.#lead + start, Math.min(CHUNK_BYTES, byteLength - start))
    return new Chunk(this, iova + start, memory)
  }
}

function map (region: Region, file: SharedFile, lead: number): Mapping {
  const access = { read: true, write: (region.access & DmaAccess.WRITE) !== 0 }
  return Mapping.map(file.descriptor, region.fileOffset - lead, lead + region.byteLength, access)
}

/** Undefined where the offset in the file may be the reason that it cannot be mapped. */
function tryMap (region: Region, file: SharedFile): Mapping | undefined {
  try {
    return map(region, file, 0)
  } catch (error) {
    const isOffset = (error as NodeJS.ErrnoException).code === 'EINVAL' && region.fileOffset % file.blockBytes !== 0
    if (isOffset) return undefined
    throw error
  }
}
