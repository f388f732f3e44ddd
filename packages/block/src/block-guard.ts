import { PcikitError } from '@pcikit/core'
import type { BlockBackend } from './block-backend.js'

/** What a request is checked against. `blockCount` may change. */
export type BlockGeometry = Pick<BlockBackend, 'blockSize' | 'blockCount' | 'readOnly'>

/**
 * The checks that every back end makes before it does anything: each method throws what {@link BlockBackend} says, and
 * what passes lies inside the storage. `name` is the storage as the operator knows it, for messages.
 */
export class BlockGuard {
  readonly name: string
  readonly #geometry: BlockGeometry
  readonly #blockSize: number
  readonly #readOnly: boolean
  #isOpen: boolean

  constructor (name: string, geometry: BlockGeometry) {
    this.name = name
    this.#geometry = geometry
    this.#blockSize = geometry.blockSize
    this.#readOnly = geometry.readOnly
    this.#isOpen = true
  }

  // One expression finds what is in order, so that it becomes a part of whoever asks. What is wrong is named apart.

  /** For `read` and `tryRead`. */
  assertRead (lba: number, byteLength: number): void {
    if (!this.#isOpen || !this.#holds(lba, byteLength / this.#blockSize)) this.#refuseRead(lba, byteLength)
  }

  /** For `write` and `tryWrite`. */
  assertWrite (lba: number, byteLength: number): void {
    if (!this.#isOpen || this.#readOnly || !this.#holds(lba, byteLength / this.#blockSize)) {
      this.#refuseWrite(lba, byteLength)
    }
  }

  /** For `discard` and `writeZeroes`. */
  assertChange (lba: number, blockCount: number): void {
    this.assertOpen()
    this.#assertWritable()
    this.#assertRange(lba, blockCount)
  }

  /** For `flush`, and first of all for everything else. */
  assertOpen (): void {
    if (!this.#isOpen) {
      throw new PcikitError('PCIKIT_BLOCK_CLOSED', `${this.name} was closed. Open it again to use it.`)
    }
  }

  /** Refuses everything from now on. */
  close (): void {
    this.#isOpen = false
  }

  #blocksIn (byteLength: number): number {
    const blockCount = byteLength / this.#blockSize
    if (Number.isInteger(blockCount)) return blockCount
    throw new PcikitError(
      'PCIKIT_BLOCK_OUT_OF_RANGE',
      `${this.name} has blocks of ${this.#blockSize} bytes. A buffer of ${byteLength} bytes is not a number of them.`,
      { details: { byteLength, blockSize: this.#blockSize } }
    )
  }

  #assertWritable (): void {
    if (this.#readOnly) {
      throw new PcikitError('PCIKIT_BLOCK_READ_ONLY', `${this.name} is read-only, so it cannot be changed.`)
    }
  }

  /** The difference cannot overflow where the sum could: a guest may ask for 2^64 - 1. */
  #holds (lba: number, blockCount: number): boolean {
    return Number.isSafeInteger(lba) && Number.isSafeInteger(blockCount) && lba >= 0 && blockCount >= 0 &&
      lba <= this.#geometry.blockCount - blockCount
  }

  #refuseRead (lba: number, byteLength: number): void {
    this.assertOpen()
    this.#assertRange(lba, this.#blocksIn(byteLength))
  }

  #refuseWrite (lba: number, byteLength: number): void {
    this.assertOpen()
    this.#assertWritable()
    this.#assertRange(lba, this.#blocksIn(byteLength))
  }

  #assertRange (lba: number, blockCount: number): void {
    if (this.#holds(lba, blockCount)) return
    const available = this.#geometry.blockCount
    throw new PcikitError(
      'PCIKIT_BLOCK_OUT_OF_RANGE',
      `${this.name} has ${available} blocks. Block ${lba} and the ${blockCount} from it on are not all in it.`,
      { details: { lba, blockCount, available } }
    )
  }
}
