import type { DmaAccess, DmaPeek } from '@pcikit/core'
import type { GuestMemory } from './guest-memory.js'

const NO_VIEW = new DataView(new ArrayBuffer(0))

/** Looks at what is mapped already. What is not is mapped by the copy that follows. */
export class MappedPeek implements DmaPeek {
  view: DataView = NO_VIEW
  position = 0
  readonly #memory: GuestMemory

  constructor (memory: GuestMemory) {
    this.#memory = memory
  }

  locate (iova: number, byteLength: number, access: DmaAccess): boolean {
    // Short enough to become a part of every caller: see `GuestMemory.place`.
    this.#memory.place = iova
    return this.locatePlace(byteLength, access)
  }

  /** Finds a range that begins at the `place` of guest memory. */
  locatePlace (byteLength: number, access: DmaAccess): boolean {
    const chunk = this.#memory.chunkOf(byteLength, access)
    if (chunk === undefined) return false
    this.view = chunk.view
    this.position = (this.#memory.place - chunk.iova) | 0
    return true
  }
}
