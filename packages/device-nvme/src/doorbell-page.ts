import type { SharedMemory } from '@pcikit/core'
import { DOORBELLS_AT } from './registers.js'

/** Bytes of the page: all doorbells of 64 queue pairs and the admin queue fit. */
export const DOORBELL_PAGE_BYTES = 4096
/** Bytes of the file: a client maps an area of the BAR at the offset in the file that it has in the BAR. */
export const DOORBELL_FILE_BYTES = DOORBELLS_AT + DOORBELL_PAGE_BYTES

/** The doorbells as memory that the client maps. A write that comes as a message is stored here too. */
export class DoorbellPage {
  readonly #memory: SharedMemory
  readonly #words: Uint32Array

  /** `memory` has {@link DOORBELL_FILE_BYTES}. */
  constructor (memory: SharedMemory) {
    this.#memory = memory
    this.#words = new Uint32Array(memory.bytes.buffer, memory.bytes.byteOffset + DOORBELLS_AT, DOORBELL_PAGE_BYTES / 4)
  }

  /** The file to map it from. */
  get descriptor (): number {
    return this.#memory.descriptor
  }

  load (number: number): number {
    return Atomics.load(this.#words, number)
  }

  store (number: number, value: number): void {
    if (number < this.#words.length) Atomics.store(this.#words, number, value)
  }

  /** Zeroes every doorbell. */
  clear (): void {
    for (let number = 0; number < this.#words.length; number++) Atomics.store(this.#words, number, 0)
  }

  close (): void {
    this.#memory.close()
  }
}
