import { PAGE_BYTES } from './page-views.js'

/** How many views are kept, a power of two: more pages than a guest usually has buffers for its small writes. */
const SLOT_COUNT = 1024

/** Only every so many times a view takes the place of another: views that live for a moment only cost the least. */
const REPLACE_INTERVAL = 64

/** Arrays shorter than this are not kept alive: they are somebody's buffers. Guest memory comes in larger pieces. */
const SOURCE_BYTES_MIN = 1_048_576

const NOTHING = new Uint8Array(0)

/**
 * Views of pages of guest memory, which guests write from again and again. As for {@link PageViews}, finding a view
 * costs a fraction of making one.
 *
 * Guest memory is taken away at any time: then its arrays become empty, and so do these views. Copying from an empty
 * view does nothing and says nothing, so each view is looked at before it is given out.
 */
export class SourceViews {
  /** By offset in pages, modulo the number of slots. */
  readonly #views: Uint8Array[]
  readonly #sources: Uint8Array[]
  readonly #offsets: Float64Array
  #untilReplace: number
  /** The array that the last view was made of, and its buffer: asking for it costs about 50 ns. */
  #source: Uint8Array
  #buffer: ArrayBufferLike

  constructor () {
    this.#views = new Array<Uint8Array>(SLOT_COUNT).fill(NOTHING)
    this.#sources = new Array<Uint8Array>(SLOT_COUNT).fill(NOTHING)
    this.#offsets = new Float64Array(SLOT_COUNT).fill(-1)
    this.#untilReplace = 0
    this.#source = NOTHING
    this.#buffer = NOTHING.buffer
  }

  /** The `length` bytes at `offset` of `source`. Throws a TypeError or a RangeError when they are not there. */
  view (source: Uint8Array, offset: number, length: number): Uint8Array {
    if (length !== PAGE_BYTES || source.length < SOURCE_BYTES_MIN) return this.#make(source, offset, length)
    const slot = (offset >>> 12) & (SLOT_COUNT - 1)
    if (this.#offsets[slot] === offset && this.#sources[slot] === source) {
      const view = this.#views[slot]!
      if (view.length === PAGE_BYTES) return view
    }
    return this.#keep(slot, source, offset)
  }

  #keep (slot: number, source: Uint8Array, offset: number): Uint8Array {
    const view = this.#make(source, offset, PAGE_BYTES)
    this.#untilReplace -= 1
    if (this.#untilReplace > 0) return view
    this.#views[slot] = view
    this.#sources[slot] = source
    this.#offsets[slot] = offset
    this.#untilReplace = REPLACE_INTERVAL
    return view
  }

  #make (source: Uint8Array, offset: number, length: number): Uint8Array {
    if (source !== this.#source) {
      this.#source = source
      this.#buffer = source.buffer
    }
    return new Uint8Array(this.#buffer, source.byteOffset + offset, length)
  }
}
