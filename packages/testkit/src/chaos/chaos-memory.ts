import { GuestFile } from '../guest/guest-file.js'
import { GuestMemory } from '../guest/guest-memory.js'
import type { GuestRegion } from '../guest/guest-memory.js'
import { placesOf, wholeArea } from './area-layout.js'
import type { AreaLayout } from './area-layout.js'

/** A range of guest addresses whose memory comes and goes, in bytes. There must be nothing else near it. */
export interface ChaosAreaOptions {
  readonly iova: number
  readonly byteLength: number
}

/** How far around an area nothing else is, in bytes. */
export const AREA_MARGIN_BYTES = 0x1_0000

const PAGE_BYTES = 4096
const POISON = Buffer.alloc(PAGE_BYTES, 0xdb)
/** The places of an area are in two files, so that it moves within one and from one to the other. */
const FILE_COUNT = 2
const PLACES_PER_FILE = 3

/** How many places there are for each page. */
export const PLACE_COUNT = FILE_COUNT * PLACES_PER_FILE

/** Below 1 MiB as firmware has it, above that, and above 4 GiB. */
const USUAL_AREAS: readonly ChaosAreaOptions[] = [
  { iova: 0x2_0000, byteLength: 0x4_0000 },
  { iova: 0x10_0000, byteLength: 0x10_0000 },
  { iova: 0x1_4000_0000, byteLength: 0x20_0000 }
]

/** An area with all of its places. */
class Area {
  readonly iova: number
  readonly byteLength: number
  readonly files: readonly GuestFile[]
  layout: AreaLayout

  constructor ({ iova, byteLength }: ChaosAreaOptions) {
    this.iova = iova
    this.byteLength = byteLength
    this.files = Array.from({ length: FILE_COUNT }, () => GuestFile.create(PLACES_PER_FILE * byteLength))
    this.layout = wholeArea(byteLength / PAGE_BYTES)
    for (const file of this.files) file.bytes.fill(POISON[0]!)
    this.files[0]!.bytes.fill(0, 0, byteLength)
  }

  get pageCount (): number {
    return this.byteLength / PAGE_BYTES
  }

  /** The bytes of a page in one of its places. */
  pageAt (page: number, place: number): Buffer {
    const { file, offset } = this.locate(page, place)
    return Buffer.from(file.bytes.buffer, offset, PAGE_BYTES)
  }

  locate (page: number, place: number): { file: GuestFile, offset: number } {
    const file = this.files[place % FILE_COUNT]!
    return { file, offset: Math.floor(place / FILE_COUNT) * this.byteLength + page * PAGE_BYTES }
  }
}

/**
 * Guest memory in areas, each of which has several places for its pages. Every page is in one of them, and all others
 * hold a pattern: whoever writes there uses memory that was taken away.
 *
 * ```
 *   file 0   | place 0 | place 2 | place 4 |      file 1   | place 1 | place 3 | place 5 |
 *                 ▲                                              ▲
 *                 pages 0 to 12 of the area                      pages 13 and up
 * ```
 */
export class ChaosMemory {
  /** The memory as drivers use it, whatever moves underneath. */
  readonly guest = new GuestMemory()
  readonly #areas: readonly Area[]

  constructor (areas: readonly ChaosAreaOptions[] = USUAL_AREAS) {
    this.#areas = areas.map(options => new Area(options))
    for (const { iova, byteLength, files } of this.#areas) this.guest.add({ iova, byteLength, file: files[0]! })
  }

  /** The number of pages of each area. */
  get areaPages (): readonly number[] {
    return this.#areas.map(area => area.pageCount)
  }

  /** Where an area is. */
  area (index: number): ChaosAreaOptions {
    const area = this.#areas[index]
    if (area === undefined) throw new RangeError(`There is no area ${index}.`)
    return area
  }

  /** The regions of an area, by address. */
  regionsOf (index: number): readonly GuestRegion[] {
    const { iova, byteLength } = this.area(index)
    return this.guest.regions.filter(region => region.iova >= iova && region.iova < iova + byteLength)
  }

  /**
   * Moves an area to its next layout. The device must have answered the unmap. What is left behind is filled with the
   * pattern; throws where a page is to come that was written to meanwhile.
   */
  apply (index: number, layout: AreaLayout): readonly GuestRegion[] {
    const area = this.#areas[index]!
    const before = placesOf(area.layout)
    const after = placesOf(layout)
    const moved = after.flatMap((place, page) => place === before[page] ? [] : [page])
    for (const page of moved) this.#checkPage(index, page, after[page]!)
    const regions = this.guest.relocate(area.iova, area.byteLength, placementsOf(area, layout))
    for (const page of moved) area.pageAt(page, before[page]!).set(POISON)
    area.layout = layout
    return regions
  }

  /** Throws where somebody wrote to memory that was gone at the time. */
  check (): void {
    this.#areas.forEach((area, index) => {
      const places = placesOf(area.layout)
      for (let page = 0; page < area.pageCount; page++) {
        for (let place = 0; place < PLACE_COUNT; place++) {
          if (place !== places[page]) this.#checkPage(index, page, place)
        }
      }
    })
  }

  close (): void {
    this.guest.close()
    for (const area of this.#areas) for (const file of area.files) file.close()
  }

  #checkPage (index: number, page: number, place: number): void {
    const area = this.#areas[index]!
    const bytes = area.pageAt(page, place)
    if (bytes.equals(POISON)) return
    const at = bytes.findIndex(byte => byte !== POISON[0])
    const iova = area.iova + page * PAGE_BYTES + at
    throw new Error(`Memory that was taken away was written to: place ${place} of 0x${iova.toString(16)}.`)
  }
}

function placementsOf (area: Area, layout: AreaLayout) {
  return layout.map(({ page, pageCount, place, shared }) => {
    const { file, offset } = area.locate(page, place)
    return {
      iova: area.iova + page * PAGE_BYTES,
      byteLength: pageCount * PAGE_BYTES,
      file,
      fileOffset: offset,
      shared
    }
  })
}
