import { firstDifference } from '../guest/pattern.js'
import type { ChaosRandom } from './chaos-random.js'

/** A run of blocks that one command has for itself. */
export interface BlockRun {
  readonly slba: number
  readonly blockCount: number
}

/**
 * What the blocks of a disk must hold. A write that failed, or that a reset took away, leaves its blocks unknown: they
 * may be old or new, but once read they must stay what they were.
 */
export class BlockModel {
  readonly blockBytes: number
  readonly blockCount: number
  readonly #contents: Uint8Array
  readonly #isKnown: Uint8Array
  readonly #isBusy: Uint8Array

  /** The disk may hold anything at first. */
  constructor (blockCount: number, blockBytes: number) {
    this.blockCount = blockCount
    this.blockBytes = blockBytes
    this.#contents = new Uint8Array(blockCount * blockBytes)
    this.#isKnown = new Uint8Array(blockCount)
    this.#isBusy = new Uint8Array(blockCount)
  }

  /** Takes blocks that no other command has. There must be many more blocks than commands. */
  take (random: ChaosRandom, blocksMax: number): BlockRun {
    for (;;) {
      const blockCount = random.between(1, blocksMax)
      const slba = random.below(this.blockCount - blockCount + 1)
      if (this.#isBusy.subarray(slba, slba + blockCount).includes(1)) continue
      this.#isBusy.fill(1, slba, slba + blockCount)
      return { slba, blockCount }
    }
  }

  /** Gives blocks back. */
  release ({ slba, blockCount }: BlockRun): void {
    this.#isBusy.fill(0, slba, slba + blockCount)
  }

  /** A write succeeded. */
  written ({ slba, blockCount }: BlockRun, bytes: Uint8Array): void {
    this.#contents.set(bytes, slba * this.blockBytes)
    this.#isKnown.fill(1, slba, slba + blockCount)
  }

  /** A write may have happened, or a part of it. */
  forget ({ slba, blockCount }: BlockRun): void {
    this.#isKnown.fill(0, slba, slba + blockCount)
  }

  /** What the blocks hold. Undefined when that is not known of all. */
  known ({ slba, blockCount }: BlockRun): Uint8Array | undefined {
    if (this.#isKnown.subarray(slba, slba + blockCount).includes(0)) return undefined
    return this.#contents.slice(slba * this.blockBytes, (slba + blockCount) * this.blockBytes)
  }

  /** Compares what was read, block by block, and learns what was not known. Returns what is wrong, if anything. */
  read ({ slba, blockCount }: BlockRun, bytes: Uint8Array): string | undefined {
    const { blockBytes } = this
    for (let block = slba; block < slba + blockCount; block++) {
      const actual = bytes.subarray((block - slba) * blockBytes, (block - slba + 1) * blockBytes)
      const expected = this.#contents.subarray(block * blockBytes, (block + 1) * blockBytes)
      if (this.#isKnown[block] === 0) {
        expected.set(actual)
        this.#isKnown[block] = 1
        continue
      }
      if (Buffer.compare(expected, actual) === 0) continue
      const at = firstDifference(expected, actual)
      return `block ${block} has ${actual[at]} at ${at}, where ${expected[at]} was written`
    }
    return undefined
  }
}
