import { closeDescriptor, copyBytes, createMemoryFile, Mapping } from '@pcikit/native'

const PAGE_BYTES = 4096

/**
 * Copies of 4 KiB from random places of a disk in memory to random pages of a guest, which are seen through one
 * mapping, or through one for each page: what it costs that they are scattered, before any device does anything.
 */
export class ScatteredCopies implements Disposable {
  readonly #mappings: Mapping[] = []
  readonly #disk: Uint8Array
  readonly #guest: Uint8Array
  readonly #pages: readonly Uint8Array[]
  #seed = 1

  constructor (diskBytes: number, pageCount: number) {
    const guest = createMemoryFile('bench-guest', pageCount * PAGE_BYTES)
    const disk = createMemoryFile('bench-disk', diskBytes)
    this.#disk = this.#map(disk, 0, diskBytes).fill(7)
    this.#guest = this.#map(guest, 0, pageCount * PAGE_BYTES).fill(1)
    this.#pages = Array.from({ length: pageCount }, (_, page) => this.#map(guest, page * PAGE_BYTES, PAGE_BYTES))
    closeDescriptor(guest)
    closeDescriptor(disk)
  }

  /** Through one mapping. Returns the nanoseconds that a copy took. */
  throughOne (durationMs: number): number {
    return timed(durationMs, () => {
      const from = this.#random(this.#disk.length / PAGE_BYTES) * PAGE_BYTES
      copyBytes(this.#guest, this.#random(this.#pages.length) * PAGE_BYTES, this.#disk, from, PAGE_BYTES)
    })
  }

  /** Through the mapping of each page. */
  throughEach (durationMs: number): number {
    return timed(durationMs, () => {
      const from = this.#random(this.#disk.length / PAGE_BYTES) * PAGE_BYTES
      copyBytes(this.#pages[this.#random(this.#pages.length)]!, 0, this.#disk, from, PAGE_BYTES)
    })
  }

  [Symbol.dispose] (): void {
    for (const mapping of this.#mappings) mapping.unmap()
  }

  #map (descriptor: number, offset: number, byteLength: number): Uint8Array {
    const mapping = Mapping.map(descriptor, offset, byteLength, { read: true, write: true })
    this.#mappings.push(mapping)
    return new Uint8Array(mapping.window(0, byteLength))
  }

  #random (end: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0
    return Math.floor(this.#seed / 0x1_0000_0000 * end)
  }
}

function timed (durationMs: number, copy: () => void): number {
  const startedAtMs = performance.now()
  let copies = 0
  while (performance.now() - startedAtMs < durationMs) {
    for (let index = 0; index < 256; index++) copy()
    copies += 256
  }
  return (performance.now() - startedAtMs) * 1e6 / copies
}
