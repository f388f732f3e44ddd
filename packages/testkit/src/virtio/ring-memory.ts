import type { GuestMemory } from '../guest/guest-memory.js'

/**
 * The numbers of a ring, which driver and device look at at the same time. Each access finds the memory anew, so that
 * a ring may move. What is stored is seen in order, and before anything that is loaded later.
 */
export class RingMemory {
  readonly memory: GuestMemory
  /** An atomic access to it keeps the accesses around it in order. */
  readonly #fence = new Int32Array(1)

  constructor (memory: GuestMemory) {
    this.memory = memory
  }

  /** A word at a multiple of 4. */
  loadWord (iova: number): number {
    const { file, position } = this.memory.locate(iova, 4)
    return Atomics.load(file.words, position >>> 2)
  }

  /** A word at a multiple of 4. */
  storeWord (iova: number, value: number): void {
    const { file, position } = this.memory.locate(iova, 4)
    Atomics.store(file.words, position >>> 2, value >>> 0)
  }

  /** A half of a word, at a multiple of 2. */
  loadHalf (iova: number): number {
    const { file, position } = this.memory.locate(iova, 2)
    return file.view.getUint16(position, true)
  }

  /** A half of a word, at a multiple of 2. */
  storeHalf (iova: number, value: number): void {
    const { file, position } = this.memory.locate(iova, 2)
    Atomics.exchange(this.#fence, 0, 0)
    file.view.setUint16(position, value, true)
    Atomics.exchange(this.#fence, 0, 0)
  }
}
