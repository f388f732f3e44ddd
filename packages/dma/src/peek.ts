import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaPeek } from '@pcikit/core'
import { settle } from './copy.js'
import type { GuestMemory } from './guest-memory.js'
import type { Chunk } from './mapped-pages.js'

const NO_VIEW = new DataView(new ArrayBuffer(0))
const NO_BYTES = new Uint8Array(0)

/** Looks at what is mapped already. What is not is mapped by the copy that follows. */
export class MappedPeek implements DmaPeek {
  position = 0
  bytes: Uint8Array = NO_BYTES
  readonly #memory: GuestMemory
  /** What was found last. It is not looked into before it must be: see `RecentChunks`. */
  #chunk: Chunk | undefined = undefined
  #iova = 0
  #byteLength = 0
  #access: DmaAccess = DmaAccess.READ

  constructor (memory: GuestMemory) {
    this.#memory = memory
  }

  get view (): DataView {
    return this.#chunk?.view ?? NO_VIEW
  }

  locate (iova: number, byteLength: number, access: DmaAccess): boolean {
    // Short enough to become a part of every caller: see `GuestMemory.place`.
    this.#memory.place = iova
    return this.locatePlace(byteLength, access)
  }

  /** Finds a range that begins at the `place` of guest memory. */
  locatePlace (byteLength: number, access: DmaAccess): boolean {
    const memory = this.#memory
    if (!memory.locate(byteLength, access)) return false
    this.#chunk = memory.recent.chunk
    this.bytes = memory.recent.bytes
    this.#iova = memory.place
    this.#byteLength = byteLength
    this.#access = access
    this.position = memory.offset
    return true
  }

  commit (): DmaFault {
    const memory = this.#memory
    if (!memory.mayHaveLost) return DmaFault.NONE
    memory.place = this.#iova
    return settle(memory, this.#byteLength, this.#access)
  }
}
