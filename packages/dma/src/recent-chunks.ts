import { DmaAccess } from '@pcikit/core'
import type { Chunk } from './mapped-pages.js'
import { PAGE_BYTES } from './region.js'

/** Places, at first and at most: powers of two. */
const PLACES_MIN = 64
const PLACES_MAX = 2 ** 16

/** What a place has in the array of numbers: first address, limit, access. */
const NUMBERS = 4
/** What it has in the array of objects: the bytes, and the chunk they belong to. */
const OBJECTS = 2

const NO_BYTES = new Uint8Array(0)

/**
 * The chunks that were found lately, by the page that was looked for: one for each place, and as many places as there
 * are regions. A search through the regions is a dozen jumps that no processor foresees; this is none.
 *
 * With thousands of regions in use, no cache of the processor holds what is kept of each, and what a look costs is how
 * many places of memory it goes to. So what is asked for lies in two flat arrays, and no chunk is looked into.
 *
 * What is kept here is live. Whoever takes memory away, by an unmap, with bus mastering or with its file, has it
 * forgotten first: {@link RecentChunks.forget}.
 */
export class RecentChunks {
  /** What was found last: where it begins, up to where it can be reached, and how. */
  iova = 0
  limit = 0
  access: DmaAccess = DmaAccess.READ
  bytes: Uint8Array = NO_BYTES
  chunk: Chunk | undefined = undefined
  #numbers = new Float64Array(NUMBERS * PLACES_MIN)
  #objects = emptyObjects(PLACES_MIN)
  #pageMask = PLACES_MIN - 1

  /** Finds the chunk around an address, if it is among them. */
  find (iova: number): boolean {
    if (iova >= this.iova && iova < this.limit) return true
    const place = (iova / PAGE_BYTES) & this.#pageMask
    const numbers = this.#numbers
    const at = place * NUMBERS
    const start = numbers[at]!
    const limit = numbers[at + 1]!
    if (iova < start || iova >= limit) return false
    this.iova = start
    this.limit = limit
    this.access = numbers[at + 2] as DmaAccess
    this.bytes = this.#objects[place * OBJECTS] as Uint8Array
    this.chunk = this.#objects[place * OBJECTS + 1] as Chunk
    return true
  }

  /** Keeps a chunk for the page around an address, and has found it. */
  add (iova: number, chunk: Chunk, regionCount: number): void {
    if (regionCount > this.#pageMask + 1 && this.#pageMask + 1 < PLACES_MAX) this.#grow(regionCount)
    const place = (iova / PAGE_BYTES) & this.#pageMask
    this.#numbers.set([chunk.iova, chunk.limit, chunk.access], place * NUMBERS)
    this.#objects[place * OBJECTS] = chunk.bytes
    this.#objects[place * OBJECTS + 1] = chunk
    this.#hit(chunk)
  }

  /** Whoever looks for something from `iova` to `end` has to search for it. */
  forget (iova: number, end: number): void {
    if (iova < this.limit && this.iova < end) this.#hit(undefined)
    const places = this.#pageMask + 1
    const firstPage = Math.floor(iova / PAGE_BYTES)
    const pageCount = Math.min(Math.ceil(end / PAGE_BYTES) - firstPage, places)
    for (let index = 0; index < pageCount; index += 1) {
      const place = (firstPage + index) & this.#pageMask
      const at = place * NUMBERS
      if (iova < this.#numbers[at + 1]! && this.#numbers[at]! < end) this.#empty(place)
    }
  }

  forgetAll (): void {
    this.#hit(undefined)
    this.#numbers.fill(0)
    this.#objects.fill(undefined)
  }

  #hit (chunk: Chunk | undefined): void {
    this.iova = chunk?.iova ?? 0
    this.limit = chunk?.limit ?? 0
    this.access = chunk?.access ?? DmaAccess.READ
    this.bytes = chunk?.bytes ?? NO_BYTES
    this.chunk = chunk
  }

  #empty (place: number): void {
    this.#numbers.fill(0, place * NUMBERS, (place + 1) * NUMBERS)
    this.#objects.fill(undefined, place * OBJECTS, (place + 1) * OBJECTS)
  }

  /** What was kept is forgotten. */
  #grow (regionCount: number): void {
    let places = this.#pageMask + 1
    while (places < regionCount && places < PLACES_MAX) places *= 2
    this.#numbers = new Float64Array(NUMBERS * places)
    this.#objects = emptyObjects(places)
    this.#pageMask = places - 1
  }
}

function emptyObjects (places: number): (Uint8Array | Chunk | undefined)[] {
  return new Array<undefined>(OBJECTS * places).fill(undefined)
}
