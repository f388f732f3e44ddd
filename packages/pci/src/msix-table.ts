import { MSIX_ENTRY_BYTES } from './capabilities/msix.js'
import type { VectorSet } from './vector-set.js'

const WORDS = MSIX_ENTRY_BYTES / 4
/** Which bits of each word of an entry can be written. [PCIe] "MSI-X Table Structure". */
const WRITABLE = [0xffff_fffc, 0xffff_ffff, 0xffff_ffff, 1] as const
/** The word of an entry that has the mask bit in bit 0: Vector Control. */
const VECTOR_CONTROL = 3
const MASK_BIT = 1

/** What an MSI-X table keeps: its words, and whether the client leaves masking to it. */
export interface SavedMsixTable {
  readonly words: readonly number[]
  readonly isInUse: boolean
}

/**
 * The MSI-X table as seen through the BAR.
 *
 * Most clients never write it: QEMU and Cloud Hypervisor keep the guest's table to themselves, mask there, and tell
 * this side only where to signal. Were they obeyed, the mask bits here would hold every vector back for ever: they are
 * set at reset. So they count only from the first write on, which shows that the client leaves masking to us.
 */
export class MsixTable {
  readonly byteLength: number
  readonly #words: Uint32Array
  readonly #vectors: VectorSet
  #isInUse = false

  constructor (vectors: VectorSet) {
    this.byteLength = vectors.count * MSIX_ENTRY_BYTES
    this.#vectors = vectors
    this.#words = new Uint32Array(vectors.count * WORDS)
    this.reset()
  }

  read (offset: number): number {
    return this.#words[offset >>> 2] ?? 0
  }

  write (offset: number, value: number, lanes: number): void {
    const word = offset >>> 2
    const previous = this.#words[word]
    if (previous === undefined) return
    const writable = WRITABLE[word % WORDS]! & lanes
    const next = ((previous & ~writable) | (value & writable)) >>> 0
    this.#words[word] = next
    if (!this.#isInUse) this.#takeIntoUse()
    else if (word % WORDS === VECTOR_CONTROL && next !== previous) {
      this.#vectors.setGuestMask(Math.floor(word / WORDS), 1, (next & MASK_BIT) !== 0)
    }
  }

  /** All entries zero and masked, as after power-on. */
  reset (): void {
    this.#words.fill(0)
    for (let word = VECTOR_CONTROL; word < this.#words.length; word += WORDS) this.#words[word] = MASK_BIT
    this.#isInUse = false
    this.#vectors.setGuestMask(0, this.#vectors.count, false)
  }

  save (): SavedMsixTable {
    return { words: [...this.#words], isInUse: this.#isInUse }
  }

  /** Takes over what another table saved, as far as there are entries for it. */
  restore ({ words, isInUse }: SavedMsixTable): void {
    this.reset()
    for (const [word, value] of words.slice(0, this.#words.length).entries()) {
      this.#words[word] = value & WRITABLE[word % WORDS]!
    }
    if (isInUse) this.#takeIntoUse()
  }

  #takeIntoUse (): void {
    this.#isInUse = true
    for (let vector = 0; vector < this.#vectors.count; vector++) {
      const control = this.#words[vector * WORDS + VECTOR_CONTROL]!
      this.#vectors.setGuestMask(vector, 1, (control & MASK_BIT) !== 0)
    }
  }
}
