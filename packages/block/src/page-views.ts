/** The page of the processor, and the size of the transfer that guests make most. */
export const PAGE_BYTES = 4096

/**
 * How many views are kept, a power of two. More of them would themselves no longer fit into the processor's caches, and
 * finding one would cost more than making one: measured at 262,144.
 */
const SLOT_COUNT = 8192

/** Only every so many times a view takes the place of another: views that live for a moment only cost the least. */
const REPLACE_INTERVAL = 16

/**
 * Views of whole pages of memory, made when first asked for; those of the pages in use are kept.
 *
 * A copy with `TypedArray.prototype.set` needs a view of exactly the source. Making one costs about 100 ns, as much as
 * the copy of a cached page itself, and leaves garbage behind; finding one costs 5 ns. See bench/page-copy.bench.ts.
 */
export class PageViews {
  /** By page number modulo the number of slots. */
  readonly #views: Uint8Array[]
  readonly #pages: Float64Array
  #untilReplace: number

  constructor () {
    this.#views = new Array<Uint8Array>(SLOT_COUNT).fill(new Uint8Array(0))
    this.#pages = new Float64Array(SLOT_COUNT).fill(-1)
    this.#untilReplace = 0
  }

  /** The view of page `page`, which begins at `offset` of `memory`. Same page, same memory: nothing checks that. */
  view (page: number, memory: ArrayBuffer, offset: number): Uint8Array {
    const slot = page & (SLOT_COUNT - 1)
    if (this.#pages[slot] === page) return this.#views[slot]!
    const view = new Uint8Array(memory, offset, PAGE_BYTES)
    if (this.#pages[slot] === -1 || this.#untilReplace === 0) {
      this.#views[slot] = view
      this.#pages[slot] = page
      this.#untilReplace = REPLACE_INTERVAL
    }
    this.#untilReplace -= 1
    return view
  }
}
