import { assert, DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaSpace, DmaWindow } from '@pcikit/core'

/** Read at once where the client does not share the memory. No entry of a ring straddles a multiple of it. */
const BLOCK_BYTES = 1024

const NO_VIEW = new DataView(new ArrayBuffer(0))

/**
 * One part of a virtqueue in guest memory. It is found anew at each access, so it may come and go.
 *
 * Memory that is in one piece and shared is reached at once. What is not is reached in two steps: an access that fails
 * without a fault leaves behind what it wanted, {@link ask} has the client do it, and the same access, repeated, has
 * its answer. So whoever works here is written once, and starts over after each answer.
 */
export class RingArea {
  readonly iova: number
  readonly byteLength: number
  /** Where {@link locate} found something. */
  view: DataView = NO_VIEW
  position = 0
  /** Why the last access failed. NONE: the client has to be asked. */
  fault: DmaFault = DmaFault.NONE
  readonly #dma: DmaSpace
  readonly #window: DmaWindow
  /** An atomic access to it keeps the plain ones around it in order. */
  readonly #fence = new Int32Array(1)
  #words: Uint32Array = new Uint32Array(0)
  #halves: Uint16Array = new Uint16Array(0)
  #errand: (() => Promise<DmaFault>) | undefined = undefined
  /** Answers: blocks as they were when they were asked for … */
  readonly #blocks = new Map<number, DataView>()
  /** … one value that was loaded, to be taken once … */
  #loadedOffset = -1
  #loaded = 0
  /** … and the value that was stored last, to be noticed once. */
  #storedOffset = -1
  #stored = 0

  constructor (dma: DmaSpace, iova: number, byteLength: number, access: DmaAccess) {
    this.iova = iova
    this.byteLength = byteLength
    this.#dma = dma
    this.#window = dma.openWindow(iova, byteLength, access)
  }

  /** Whether a range of guest addresses has to do with it. */
  overlaps (iova: number, byteLength: number): boolean {
    return iova < this.iova + this.byteLength && this.iova < iova + byteLength
  }

  /** Finds an entry, at a multiple of its length. It is at `position` of `view`. False: see `fault`. */
  locate (offset: number, length: number): boolean {
    const window = this.#window
    if (!window.locate(offset, length)) return this.#locateBlock(window, offset)
    this.view = window.view
    this.position = window.position
    return true
  }

  /** What is at an even offset now, in 16 bits. Whatever is read later is read after it. -1: see `fault`. */
  loadHalf (offset: number): number {
    const window = this.#window
    if (!window.locate(offset, 2)) return this.#loadLater(window, offset, 2)
    const halves = this.#halvesOf(window)
    const { position } = window
    if (!isElement(halves, position, 1)) return this.#fenced(window.view.getUint16(position, true))
    return Atomics.load(halves, position >>> 1)
  }

  /** What is at an even offset, in 16 bits. Before it means anything a {@link fence} is due. -1: see `loadHalf`. */
  peekHalf (offset: number): number {
    const window = this.#window
    return window.locate(offset, 2) ? window.view.getUint16(window.position, true) : -1
  }

  /** What is read or written later is so after what was before. */
  fence (): void {
    this.#fenced(0)
  }

  /** What is at a multiple of 4 now, in 32 bits. Whatever is read later is read after it. -1: see `fault`. */
  loadWord (offset: number): number {
    const window = this.#window
    if (!window.locate(offset, 4)) return this.#loadLater(window, offset, 4)
    const { words, position } = window
    if (!isElement(words, position, 2)) return this.#fenced(window.view.getUint32(position, true))
    return Atomics.load(words, position >>> 2)
  }

  /** Stores 16 bits: after what was stored before, and before anything that is loaded later. False: see `fault`. */
  storeHalf (offset: number, value: number): boolean {
    const window = this.#window
    if (!window.locate(offset, 2)) return this.#storeLater(window, offset, [value], 2)
    const halves = this.#halvesOf(window)
    const { position } = window
    if (isElement(halves, position, 1)) Atomics.store(halves, position >>> 1, value)
    else this.#storeFenced(window, value, 2)
    return true
  }

  /** Stores 32 bits, as {@link storeHalf}. */
  storeWord (offset: number, value: number): boolean {
    const window = this.#window
    if (!window.locate(offset, 4)) return this.#storeLater(window, offset, [value], 4)
    const { words, position } = window
    if (isElement(words, position, 2)) Atomics.store(words, position >>> 2, value)
    else this.#storeFenced(window, value, 4)
    return true
  }

  /** Stores two words. Where it `tells`, the upper half of the second is stored as {@link storeHalf}, and last. */
  storePair (offset: number, first: number, second: number, tells: boolean): boolean {
    const window = this.#window
    if (!window.locate(offset, 8)) return this.#storeApart(window, offset, first, second)
    const { view, position } = window
    view.setUint32(position, first, true)
    if (!tells) {
      view.setUint32(position + 4, second, true)
      return true
    }
    view.setUint16(position + 4, second & 0xffff, true)
    return this.storeHalf(offset + 6, second >>> 16)
  }

  /** Has the client do what the last access wanted. */
  ask (): Promise<DmaFault> {
    const errand = this.#errand
    assert(errand !== undefined, 'nothing is asked of a client that nobody wants')
    this.#errand = undefined
    return errand()
  }

  /** Forgets what was read in blocks, because there may be something newer now. */
  forgetBlocks (): void {
    if (this.#blocks.size > 0) this.#blocks.clear()
  }

  /** Forgets all answers. */
  forget (): void {
    this.forgetBlocks()
    this.#loadedOffset = -1
    this.#storedOffset = -1
  }

  close (): void {
    this.forget()
    this.#window.close()
  }

  /** The memory of the window in 16 bits, for `Atomics`: numbers that need no memory of their own. */
  #halvesOf (window: DmaWindow): Uint16Array {
    const { words } = window
    if (words !== this.#words) {
      this.#words = words
      this.#halves = new Uint16Array(words.buffer, words.byteOffset, words.length * 2)
    }
    return this.#halves
  }

  #storeFenced ({ view, position }: DmaWindow, value: number, size: number): void {
    this.#fenced(0)
    if (size === 2) view.setUint16(position, value, true)
    else view.setUint32(position, value, true)
    this.#fenced(0)
  }

  #fenced (value: number): number {
    Atomics.exchange(this.#fence, 0, 0)
    return value
  }

  #locateBlock (window: DmaWindow, offset: number): boolean {
    this.fault = window.fault
    if (this.fault !== DmaFault.NONE) return false
    const block = Math.floor(offset / BLOCK_BYTES)
    const view = this.#blocks.get(block)
    if (view === undefined) {
      this.#errand = () => this.#readBlock(block)
      return false
    }
    this.view = view
    this.position = offset % BLOCK_BYTES
    return true
  }

  async #readBlock (block: number): Promise<DmaFault> {
    const start = block * BLOCK_BYTES
    const bytes = new Uint8Array(Math.min(BLOCK_BYTES, this.byteLength - start))
    const fault = await this.#dma.read(this.iova + start, bytes)
    if (fault === DmaFault.NONE) this.#blocks.set(block, new DataView(bytes.buffer))
    return fault
  }

  #loadLater (window: DmaWindow, offset: number, size: number): number {
    this.fault = window.fault
    if (this.fault !== DmaFault.NONE) return -1
    if (this.#loadedOffset === offset) {
      this.#loadedOffset = -1
      return this.#loaded
    }
    this.#errand = () => this.#load(offset, size)
    return -1
  }

  async #load (offset: number, size: number): Promise<DmaFault> {
    const bytes = new Uint8Array(size)
    const fault = await this.#dma.read(this.iova + offset, bytes)
    if (fault !== DmaFault.NONE) return fault
    this.#loadedOffset = offset
    this.#loaded = bytes.reduceRight((value, byte) => value * 256 + byte, 0)
    return fault
  }

  /** An entry that is aligned to words, and no better, may be in two pieces of memory. */
  #storeApart (window: DmaWindow, offset: number, first: number, second: number): boolean {
    if (window.fault === DmaFault.NONE && window.locate(offset, 4) && window.locate(offset + 4, 4)) {
      return this.storeWord(offset, first) && this.storeWord(offset + 4, second)
    }
    return this.#storeLater(window, offset, [first, second], 4)
  }

  #storeLater (window: DmaWindow, offset: number, values: readonly number[], size: number): boolean {
    this.fault = window.fault
    if (this.fault !== DmaFault.NONE) return false
    const last = values.length - 1
    if (this.#storedOffset === offset + last * size && this.#stored === values[last]) {
      this.#storedOffset = -1
      return true
    }
    this.#errand = () => this.#store(offset, values, size)
    return false
  }

  /** One after the other, because the order within a message is the client's. */
  async #store (offset: number, values: readonly number[], size: number): Promise<DmaFault> {
    for (const [index, value] of values.entries()) {
      const at = offset + index * size
      const bytes = Uint8Array.from({ length: size }, (_, byte) => value >>> (byte * 8))
      const fault = await this.#dma.write(this.iova + at, bytes)
      if (fault !== DmaFault.NONE) return fault
      this.#storedOffset = at
      this.#stored = value
    }
    return DmaFault.NONE
  }
}

/** Whether `Atomics` reach something in an array of such elements. Unless a driver places it badly, they do. */
function isElement (array: Uint16Array | Uint32Array, position: number, shift: number): boolean {
  const index = position >>> shift
  return index << shift === position && index < array.length
}
