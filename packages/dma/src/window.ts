import { assert, DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaWindow } from '@pcikit/core'
import type { GuestMemory } from './guest-memory.js'
import type { Chunk, MappedPages } from './mapped-pages.js'

const WINDOW_BYTES_MAX = 2 ** 30

const NO_VIEW = new DataView(new ArrayBuffer(0))
const NO_BYTES = new Uint8Array(0)
const NO_WORDS = new Uint32Array(0)

/**
 * A range of guest addresses that is looked at again and again. It remembers the piece that it found last: the offsets
 * `#start` to `#end`, which lie in `#pages`. The piece holds for as long as these are live, which an unmap, a switched
 * off bus master and the page cache end, each for the regions that it takes away and no others.
 */
export class MappedWindow implements DmaWindow {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  view: DataView = NO_VIEW
  bytes: Uint8Array = NO_BYTES
  words: Uint32Array = NO_WORDS
  position = 0
  run = 0
  fault: DmaFault = DmaFault.NONE
  readonly #memory: GuestMemory
  #pages: MappedPages | undefined = undefined
  #start = 0
  #end = 0
  /** Where `#start` is in the arrays. */
  #base = 0
  #isClosed = false

  constructor (memory: GuestMemory, iova: number, byteLength: number, access: DmaAccess) {
    assert(byteLength <= WINDOW_BYTES_MAX, 'A window is for a ring or a page, not for all of memory')
    this.iova = iova
    this.byteLength = byteLength
    this.access = access
    this.#memory = memory
  }

  locate (offset: number, length: number): boolean {
    const pages = this.#pages
    if (pages === undefined || !pages.isLive || offset < this.#start || offset + length > this.#end) {
      if (!this.#find(offset, length)) return false
    }
    this.position = offset - this.#start + this.#base
    this.run = this.#end - offset
    return true
  }

  close (): void {
    this.#isClosed = true
    this.#forget()
  }

  #find (offset: number, length: number): boolean {
    assert(!this.#isClosed, 'A window was looked at after it was closed')
    assert(offset >= 0 && length >= 0 && offset + length <= this.byteLength, 'An access left its window')
    const memory = this.#memory
    const refusal = memory.refusal(this.iova, this.byteLength)
    if (refusal !== DmaFault.NONE) return this.#fail(refusal, this.iova + offset, length)
    const from = this.iova + offset
    const region = memory.reach(from, this.access)
    if (region === undefined) return this.#fail(memory.fault, from, length)
    if (region.file === undefined) return this.#scattered(from, length)
    const chunk = memory.chunkAt(region, from)
    if (chunk === undefined) return this.#fail(memory.fault, from, length)
    const end = Math.min(chunk.end, region.reachableEnd)
    if (from + length > end) return this.#scattered(from, length)
    this.#remember(chunk, Math.max(chunk.iova, this.iova), Math.min(end, this.iova + this.byteLength))
    return true
  }

  #remember (chunk: Chunk, from: number, to: number): void {
    this.fault = DmaFault.NONE
    this.#pages = chunk.pages
    // Differences of large numbers. As integers they keep `locate` fast wherever the window is.
    this.#start = (from - this.iova) | 0
    this.#end = (to - this.iova) | 0
    this.#base = (from - chunk.iova) | 0
    this.view = chunk.view
    this.bytes = chunk.bytes
    this.words = chunk.words
  }

  #forget (): void {
    this.#pages = undefined
    this.view = NO_VIEW
    this.bytes = NO_BYTES
    this.words = NO_WORDS
  }

  /** Not in one piece. There is a fault all the same when a part of it cannot be reached. */
  #scattered (from: number, length: number): false {
    const until = this.#memory.reachableUntil(from, from + length, this.access)
    if (until < from + length) return this.#fail(this.#memory.fault, until, from + length - until)
    this.#forget()
    this.fault = DmaFault.NONE
    return false
  }

  /** A device that polls looks a million times in a second: it is one fault until something else happens. */
  #fail (fault: DmaFault, iova: number, length: number): false {
    if (fault !== this.fault) this.#memory.faults.note(fault, iova, length, this.access)
    this.#forget()
    this.fault = fault
    return false
  }
}
