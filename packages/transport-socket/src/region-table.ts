import { REGION_COUNT } from '@pcikit/core'
import type { PciFunction, RegionIndex } from '@pcikit/core'

/** How large the regions of a function are and what may be done to them, for the checks before each access. */
export class RegionTable {
  readonly #byteLengths: number[] = []
  readonly #readable: boolean[] = []
  readonly #writable: boolean[] = []

  constructor (pciFunction: PciFunction) {
    for (let index = 0; index < REGION_COUNT; index++) {
      const info = pciFunction.region(index as RegionIndex)
      this.#byteLengths.push(info.byteLength)
      this.#readable.push(info.readable)
      this.#writable.push(info.writable)
    }
  }

  /** Whether there is a region of that number and `count` bytes from `offset` on lie inside it. */
  contains (index: number, offset: number, count: number): boolean {
    // Both are read as doubles that are never smaller than what was sent, so the sum cannot wrap around.
    return index < REGION_COUNT && offset + count <= this.#byteLengths[index]!
  }

  isReadable (index: number): boolean {
    return this.#readable[index] === true
  }

  isWritable (index: number): boolean {
    return this.#writable[index] === true
  }
}
