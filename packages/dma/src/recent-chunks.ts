import type { Chunk } from './mapped-pages.js'
import { PAGE_BYTES } from './region.js'

/** Places, at first and at most: powers of two. */
const PLACES_MIN = 64
const PLACES_MAX = 2 ** 16

/**
 * The chunks that were found lately, by the page that was looked for: one for each place, and as many places as there
 * are regions. A search through the regions is a dozen jumps that no processor foresees; this is none.
 *
 * What is kept may be gone. It counts while its pages are live: until an unmap, bus mastering or the loss of a file
 * takes them.
 */
export class RecentChunks {
  #chunks = new Array<Chunk | undefined>(PLACES_MIN).fill(undefined)

  /** The chunk around an address, if it is among them. */
  find (iova: number): Chunk | undefined {
    const chunks = this.#chunks
    const chunk = chunks[(iova / PAGE_BYTES) & (chunks.length - 1)]
    if (chunk === undefined || iova < chunk.iova || iova >= chunk.limit || !chunk.pages.isLive) return undefined
    chunk.pages.wasUsed = true
    return chunk
  }

  /** Keeps a chunk for the page around an address. */
  add (iova: number, chunk: Chunk, regionCount: number): void {
    if (regionCount > this.#chunks.length && this.#chunks.length < PLACES_MAX) this.#grow(regionCount)
    this.#chunks[(iova / PAGE_BYTES) & (this.#chunks.length - 1)] = chunk
  }

  #grow (regionCount: number): void {
    let places = this.#chunks.length
    while (places < regionCount && places < PLACES_MAX) places *= 2
    this.#chunks = new Array<Chunk | undefined>(places).fill(undefined)
  }
}
