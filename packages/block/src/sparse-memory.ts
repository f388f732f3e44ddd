import { fstatSync } from 'node:fs'
import { AllocateMode, closeDescriptor, copyBytes, createMemoryFile, fileAllocate, Mapping } from '@pcikit/native'

/** The page of the processor, in bytes. */
export const PAGE_BYTES = 4096

/** The memory is seen through windows of this many bytes, because a typed array ends at 4 GiB on Node 20. */
const WINDOW_BYTES = 0x4000_0000

/** From this many bytes on, zeroed memory is given back to the system. Below it the system call costs more. */
const GIVE_BACK_BYTES_MIN = 65_536

/** The longest memory: its pages are numbered with 32 bits. */
export const SPARSE_MEMORY_BYTES_MAX = 2 ** 32 * PAGE_BYTES

/**
 * Zeroed memory of any size that takes only what was written, in pages.
 *
 * It is a memory file, mapped once. The kernel makes a page at its first access, a read too, so `#written` knows the
 * pages that a read must not touch. Punching a hole into the file gives pages back.
 *
 * ```
 *   #written   1 0 0 1 1 0 ...                 one byte for each page
 *   #windows   |     1 GiB     |     1 GiB     | ...
 * ```
 */
export class SparseMemory {
  readonly #fd: number
  readonly #byteLength: number
  readonly #mapping: Mapping
  readonly #windows: (Uint8Array | undefined)[]
  readonly #written: Uint8Array

  constructor (name: string, byteLength: number) {
    const pageCount = Math.ceil(byteLength / PAGE_BYTES)
    this.#byteLength = pageCount * PAGE_BYTES
    this.#fd = createMemoryFile(name, this.#byteLength, { seal: true })
    try {
      this.#mapping = Mapping.map(this.#fd, 0, this.#byteLength, { read: true, write: true })
    } catch (error) {
      closeDescriptor(this.#fd)
      throw error
    }
    const windowCount = Math.ceil(this.#byteLength / WINDOW_BYTES)
    this.#windows = new Array<Uint8Array | undefined>(windowCount).fill(undefined)
    this.#written = new Uint8Array(pageCount)
  }

  /** How many bytes of memory the system has given. */
  get allocatedBytes (): number {
    return fstatSync(this.#fd).blocks * 512
  }

  /** Copies `[at, at + length)` to `offset` of `target`. */
  read (at: number, target: Uint8Array, offset: number, length: number): void {
    const page = Math.floor(at / PAGE_BYTES)
    if (at + length <= (page + 1) * PAGE_BYTES && this.#written[page] === 1) {
      const index = Math.floor(at / WINDOW_BYTES)
      copyBytes(target, offset, this.#windowOf(index), at - index * WINDOW_BYTES, length)
    } else {
      this.#readRuns(at, target, offset, length)
    }
  }

  /** Copies `length` bytes at `offset` of `source` to `at`. */
  write (at: number, source: Uint8Array, offset: number, length: number): void {
    const page = Math.floor(at / PAGE_BYTES)
    if (length > 0 && at + length <= (page + 1) * PAGE_BYTES) {
      const index = Math.floor(at / WINDOW_BYTES)
      copyBytes(this.#windowOf(index), at - index * WINDOW_BYTES, source, offset, length)
      this.#written[page] = 1
    } else {
      this.#writeRuns(at, source, offset, length)
    }
  }

  /** Makes `[at, at + length)` zero and gives its pages back. Answers at once when there is little to give. */
  zero (at: number, length: number): void | Promise<void> {
    const end = at + length
    const firstPage = Math.ceil(at / PAGE_BYTES)
    const endPage = Math.floor(end / PAGE_BYTES)
    if (endPage <= firstPage) {
      this.#fill(at, end)
      return
    }
    this.#fill(at, firstPage * PAGE_BYTES)
    this.#fill(endPage * PAGE_BYTES, end)
    const written = this.#written.subarray(firstPage, endPage)
    if (!written.includes(1)) return
    const wholeBytes = written.length * PAGE_BYTES
    if (wholeBytes < GIVE_BACK_BYTES_MIN) {
      this.#fill(firstPage * PAGE_BYTES, endPage * PAGE_BYTES)
      return
    }
    // The pages read as zeroes from now on, and a write from now on marks its page again.
    written.fill(0)
    return fileAllocate(this.#fd, AllocateMode.PUNCH_HOLE, firstPage * PAGE_BYTES, wholeBytes)
  }

  /** Gives everything back. Nothing may be in flight. */
  close (): void {
    this.#mapping.unmap()
    closeDescriptor(this.#fd)
  }

  /** Copies run by run of pages that were written, or were not. */
  #readRuns (at: number, target: Uint8Array, offset: number, length: number): void {
    let done = 0
    while (done < length) {
      const position = at + done
      const run = this.#runLength(position, length - done)
      if (this.#written[Math.floor(position / PAGE_BYTES)] === 1) {
        const index = Math.floor(position / WINDOW_BYTES)
        copyBytes(target, offset + done, this.#windowOf(index), position - index * WINDOW_BYTES, run)
      } else {
        target.fill(0, offset + done, offset + done + run)
      }
      done += run
    }
  }

  /** Copies window by window. */
  #writeRuns (at: number, source: Uint8Array, offset: number, length: number): void {
    let done = 0
    while (done < length) {
      const index = Math.floor((at + done) / WINDOW_BYTES)
      const inWindow = at + done - index * WINDOW_BYTES
      const part = Math.min(length - done, WINDOW_BYTES - inWindow)
      copyBytes(this.#windowOf(index), inWindow, source, offset + done, part)
      done += part
    }
    const endPage = Math.ceil((at + length) / PAGE_BYTES)
    for (let page = Math.floor(at / PAGE_BYTES); page < endPage; page += 1) this.#written[page] = 1
  }

  /** How many of the `length` bytes from `at` on are in pages like the first one, and in one window. */
  #runLength (at: number, length: number): number {
    const end = Math.min(at + length, (Math.floor(at / WINDOW_BYTES) + 1) * WINDOW_BYTES)
    let page = Math.floor(at / PAGE_BYTES)
    const isWritten = this.#written[page]
    do page += 1
    while (page * PAGE_BYTES < end && this.#written[page] === isWritten)
    return Math.min(page * PAGE_BYTES, end) - at
  }

  /** Overwrites what was written of `[from, end)` with zeroes. */
  #fill (from: number, end: number): void {
    let at = from
    while (at < end) {
      const run = this.#runLength(at, end - at)
      const index = Math.floor(at / WINDOW_BYTES)
      const inWindow = at - index * WINDOW_BYTES
      if (this.#written[Math.floor(at / PAGE_BYTES)] === 1) this.#windowOf(index).fill(0, inWindow, inWindow + run)
      at += run
    }
  }

  #windowOf (index: number): Uint8Array {
    return this.#windows[index] ?? this.#openWindow(index)
  }

  #openWindow (index: number): Uint8Array {
    const start = index * WINDOW_BYTES
    const window = new Uint8Array(this.#mapping.window(start, Math.min(WINDOW_BYTES, this.#byteLength - start)))
    this.#windows[index] = window
    return window
  }
}
