import type { GuestMemory } from './guest-memory.js'
import { fillPattern } from './pattern.js'

const PAGE_BYTES = 4096

/** Bytes of a driver in guest memory, in one row of pages or in pages from all over the place. */
export class DataBuffer {
  readonly byteLength: number
  /** Where each page's part of the buffer starts. Only the first may start inside its page. */
  readonly pages: readonly number[]
  readonly #memory: GuestMemory
  readonly #allocations: readonly number[]

  private constructor (
    memory: GuestMemory,
    pages: readonly number[],
    byteLength: number,
    allocations: readonly number[]
  ) {
    this.#memory = memory
    this.pages = pages
    this.byteLength = byteLength
    this.#allocations = allocations
  }

  /** A buffer whose pages follow one another, starting `offset` bytes into the first. */
  static contiguous (memory: GuestMemory, byteLength: number, offset = 0): DataBuffer {
    const start = memory.allocate(offset + byteLength)
    return new DataBuffer(memory, pagesOf(start + offset, byteLength), byteLength, [start])
  }

  /** A buffer at a place of the caller's choice. */
  static at (memory: GuestMemory, iova: number, byteLength: number): DataBuffer {
    return new DataBuffer(memory, pagesOf(iova, byteLength), byteLength, [])
  }

  /** A buffer whose pages are in descending order, so that no two follow one another. */
  static scattered (memory: GuestMemory, byteLength: number, offset = 0): DataBuffer {
    const count = Math.max(1, Math.ceil((offset + byteLength) / PAGE_BYTES))
    const allocations = Array.from({ length: count }, () => memory.allocate(PAGE_BYTES)).sort((a, b) => b - a)
    const pages = allocations.map((page, index) => index === 0 ? page + offset : page)
    return new DataBuffer(memory, pages, byteLength, allocations)
  }

  /** Where the buffer starts. */
  get iova (): number {
    return this.pages[0]!
  }

  /** A copy of its bytes. */
  read (): Uint8Array {
    const target = new Uint8Array(this.byteLength)
    this.#forEachPage((iova, at, count) => target.set(this.#memory.bytesAt(iova, count), at))
    return target
  }

  /** Stores bytes from its start on. */
  write (source: Uint8Array): void {
    this.#forEachPage((iova, at, count) => {
      if (at < source.length) this.#memory.store(iova, source.subarray(at, Math.min(source.length, at + count)))
    })
  }

  /** Fills it with a pattern and returns a copy of that. */
  fillPattern (seed: number): Uint8Array {
    const bytes = fillPattern(new Uint8Array(this.byteLength), seed)
    this.write(bytes)
    return bytes
  }

  /** Sets every byte to a value. */
  fill (value: number): void {
    this.write(new Uint8Array(this.byteLength).fill(value))
  }

  /** Gives its pages back. */
  free (): void {
    for (const iova of this.#allocations) this.#memory.free(iova)
  }

  #forEachPage (visit: (iova: number, at: number, count: number) => void): void {
    let at = 0
    for (const iova of this.pages) {
      const count = Math.min(this.byteLength - at, PAGE_BYTES - iova % PAGE_BYTES)
      visit(iova, at, count)
      at += count
    }
  }
}

function pagesOf (iova: number, byteLength: number): number[] {
  const pages = [iova]
  for (let page = iova - iova % PAGE_BYTES + PAGE_BYTES; page < iova + byteLength; page += PAGE_BYTES) pages.push(page)
  return pages
}
