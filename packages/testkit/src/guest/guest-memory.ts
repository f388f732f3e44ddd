import type { ServedMemory } from '../vfio-user/dma-responder.js'
import { DmaMapFlags } from '../vfio-user/protocol.js'
import type { DmaMapping } from '../vfio-user/payloads.js'
import { GuestFile } from './guest-file.js'
import { PageAllocator } from './page-allocator.js'
import { findMoves } from './region-moves.js'

/** What memory needs of a client to be mapped. */
export interface DmaClient {
  mapDma(mapping: DmaMapping): Promise<void>
  unmapDma(iova: number, byteLength: number): Promise<unknown>
}

/** Where memory is to be. All of it in bytes, in multiples of 4 KiB. */
export interface RegionPlacement {
  readonly iova: number
  readonly byteLength: number
  /** The file behind it. Without one the region gets its own, with a guard page before and after the region. */
  readonly file?: GuestFile
  readonly fileOffset?: number
  /** Whether the client shares the file. `false`: the server has to ask by message. */
  readonly shared?: boolean
  /** Bits of {@link DmaMapFlags}, readable and writeable unless given. */
  readonly flags?: number
}

/** A piece of guest memory: a range of IOVAs and the part of a file that is there now. */
export interface GuestRegion {
  readonly iova: number
  readonly byteLength: number
  readonly file: GuestFile
  readonly fileOffset: number
  readonly shared: boolean
  readonly flags: number
}

interface PlacedRegion extends GuestRegion {
  file: GuestFile
  fileOffset: number
}

const PAGE_BYTES = 4096
const GUARD_BYTE = 0xa5
const POISON_BYTE = 0xdb

/** The part of a file that a region left. Whoever writes there used memory that was taken away. */
export class AbandonedPlace {
  readonly #file: GuestFile
  readonly #position: number
  readonly #byteLength: number

  constructor (file: GuestFile, position: number, byteLength: number) {
    this.#file = file
    this.#position = position
    this.#byteLength = byteLength
    file.bytes.fill(POISON_BYTE, position, position + byteLength)
  }

  /** Whether nobody wrote there since the region left. */
  get isUntouched (): boolean {
    return this.#file.bytes.subarray(this.#position, this.#position + this.#byteLength).every(isPoison)
  }
}

/**
 * Guest memory, as a hypervisor has it: regions of files at IOVAs. Drivers read and write it by IOVA and so always
 * reach the bytes that are there now, however often a region moves.
 */
export class GuestMemory implements ServedMemory {
  readonly #regions: PlacedRegion[] = []
  readonly #files = new Set<GuestFile>()
  readonly #guards: { readonly file: GuestFile, readonly position: number }[] = []
  readonly #allocator = new PageAllocator()

  /** All regions, by IOVA. */
  get regions (): readonly GuestRegion[] {
    return this.#regions
  }

  /** Adds a region. The server does not learn of it before {@link map}. */
  add (placement: RegionPlacement): GuestRegion {
    const { iova, byteLength, file } = placement
    const region = file === undefined ?
      placeIn(this.#createGuarded(byteLength), { fileOffset: PAGE_BYTES, ...placement }) :
      placeIn(file, placement)
    this.#files.add(region.file)
    this.#regions.push(region)
    this.#regions.sort((left, right) => left.iova - right.iova)
    this.#allocator.add(iova, byteLength)
    return region
  }

  /** Takes pages that nobody has; they may span regions that touch. Bytes, rounded up to pages. */
  allocate (byteLength: number): number {
    return this.#allocator.allocate(byteLength)
  }

  /** Gives back what `allocate` gave. */
  free (iova: number): void {
    this.#allocator.free(iova)
  }

  /** Keeps `allocate` away from a range. */
  reserve (iova: number, byteLength: number): void {
    this.#allocator.reserve(iova, byteLength)
  }

  /** Sends a DMA_MAP for each region, or for those given. */
  async map (client: DmaClient, regions: readonly GuestRegion[] = this.#regions): Promise<void> {
    await Promise.all(regions.map(region => client.mapDma(mappingOf(region))))
  }

  /** Sends a DMA_UNMAP for each region, or for those given. */
  async unmap (client: DmaClient, regions: readonly GuestRegion[] = this.#regions): Promise<void> {
    await Promise.all(regions.map(region => client.unmapDma(region.iova, region.byteLength)))
  }

  /**
   * Moves a region to another part of its file, or of another file: unmap, copy, map at the same IOVA. What was left
   * behind is filled with a pattern, to see whether anybody still writes there.
   */
  async move (
    client: DmaClient,
    region: GuestRegion,
    fileOffset: number,
    file: GuestFile = region.file
  ): Promise<AbandonedPlace> {
    const placed = this.#regions.find(candidate => candidate === region)
    if (placed === undefined) throw new RangeError('The region is not one of this memory.')
    await client.unmapDma(region.iova, region.byteLength)
    const source = placed.file.bytes.subarray(placed.fileOffset, placed.fileOffset + placed.byteLength)
    file.bytes.set(source, fileOffset)
    const left = new AbandonedPlace(placed.file, placed.fileOffset, placed.byteLength)
    this.#files.add(file)
    placed.file = file
    placed.fileOffset = fileOffset
    await client.mapDma(mappingOf(placed))
    return left
  }

  /**
   * Lays a part of memory out anew, without a word to the server: the regions inside the range make room for others,
   * which cover the same addresses. Contents move with their addresses; bytes that stay where they are are not touched.
   * Returns the new regions. Throws where a region is only partly in the range.
   */
  relocate (
    iova: number,
    byteLength: number,
    placements: readonly (RegionPlacement & { readonly file: GuestFile })[]
  ): readonly GuestRegion[] {
    const end = iova + byteLength
    const kept = this.#regions.filter(region => region.iova + region.byteLength <= iova || region.iova >= end)
    const gone = this.#regions.filter(region => !kept.includes(region))
    const placed = placements.map(placement => placeIn(placement.file, placement))
    if ([...gone, ...placed].some(region => region.iova < iova || region.iova + region.byteLength > end)) {
      throw new RangeError('A region is only partly in the range that is laid out anew.')
    }
    for (const { file } of placed) this.#files.add(file)
    this.#regions.splice(0, Infinity, ...kept, ...placed)
    this.#regions.sort((left, right) => left.iova - right.iova)
    placed.sort((left, right) => left.iova - right.iova)
    for (const { file, position, bytes } of findMoves(gone, placed)) file.bytes.set(bytes, position)
    return placed
  }

  /** The file and the position in it of `byteLength` bytes at `iova`. Throws unless one region has all of them. */
  locate (iova: number, byteLength: number): { readonly file: GuestFile, readonly position: number } {
    const region = this.#regionAt(iova)
    if (region === undefined || iova + byteLength > region.iova + region.byteLength) {
      throw new RangeError(`No region has all of [0x${iova.toString(16)}, +${byteLength}).`)
    }
    return { file: region.file, position: region.fileOffset + iova - region.iova }
  }

  read (iova: number, target: Uint8Array): boolean {
    return this.#forEachPiece(iova, target.length, (file, position, at, count) => {
      target.set(file.bytes.subarray(position, position + count), at)
    })
  }

  write (iova: number, source: Uint8Array): boolean {
    return this.#forEachPiece(iova, source.length, (file, position, at, count) => {
      file.bytes.set(source.subarray(at, at + count), position)
    })
  }

  /** A copy of memory. Throws where there is none. */
  bytesAt (iova: number, byteLength: number): Uint8Array {
    const target = new Uint8Array(byteLength)
    if (!this.read(iova, target)) throw new RangeError(`No memory at 0x${iova.toString(16)}.`)
    return target
  }

  /** Stores bytes. Throws where there is no memory. */
  store (iova: number, source: Uint8Array): void {
    if (!this.write(iova, source)) throw new RangeError(`No memory at 0x${iova.toString(16)}.`)
  }

  /** Sets bytes to a value. Throws where there is no memory. */
  fill (iova: number, byteLength: number, value: number): void {
    this.store(iova, new Uint8Array(byteLength).fill(value))
  }

  /** Whether nobody wrote to the guard pages around the regions that have files of their own. */
  get areGuardsIntact (): boolean {
    return this.#guards.every(({ file, position }) =>
      file.bytes.subarray(position, position + PAGE_BYTES).every(byte => byte === GUARD_BYTE)
    )
  }

  /** Closes all files. */
  close (): void {
    for (const file of this.#files) file.close()
  }

  #createGuarded (byteLength: number): GuestFile {
    const file = GuestFile.create(byteLength + 2 * PAGE_BYTES)
    for (const position of [0, PAGE_BYTES + byteLength]) {
      file.bytes.fill(GUARD_BYTE, position, position + PAGE_BYTES)
      this.#guards.push({ file, position })
    }
    return file
  }

  #regionAt (iova: number): PlacedRegion | undefined {
    const regions = this.#regions
    let low = 0
    let high = regions.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (regions[middle]!.iova <= iova) low = middle + 1
      else high = middle
    }
    const region = regions[low - 1]
    return region !== undefined && iova < region.iova + region.byteLength ? region : undefined
  }

  #forEachPiece (
    iova: number,
    byteLength: number,
    visit: (file: GuestFile, position: number, at: number, count: number) => void
  ): boolean {
    for (let at = 0; at < byteLength;) {
      const region = this.#regionAt(iova + at)
      if (region === undefined) return false
      const offset = iova + at - region.iova
      const count = Math.min(byteLength - at, region.byteLength - offset)
      visit(region.file, region.fileOffset + offset, at, count)
      at += count
    }
    return true
  }
}

function placeIn (file: GuestFile, placement: RegionPlacement): PlacedRegion {
  return {
    iova: placement.iova,
    byteLength: placement.byteLength,
    file,
    fileOffset: placement.fileOffset ?? 0,
    shared: placement.shared ?? true,
    flags: placement.flags ?? (DmaMapFlags.READABLE | DmaMapFlags.WRITEABLE)
  }
}

/** The DMA_MAP of a region. */
export function mappingOf (region: GuestRegion): DmaMapping {
  const { iova, byteLength, flags } = region
  if (!region.shared) return { iova, byteLength, flags }
  return { iova, byteLength, flags, descriptor: region.file.descriptor, fileOffset: region.fileOffset }
}

function isPoison (byte: number): boolean {
  return byte === POISON_BYTE
}
