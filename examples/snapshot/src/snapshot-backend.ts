import { BlockGuard, FileBackend, MemoryBackend } from '@pcikit/block'
import type { BlockBackend, BlockBackendContribution, BlockBuffers, BlockOpenContext } from '@pcikit/block'
import { PcikitError } from '@pcikit/core'
import { BlockSet } from './block-set.js'
import { sliceBuffers } from './buffer-slice.js'

/**
 * A disk that starts as a file and forgets what was written once it is closed. The file is only read; blocks that were
 * written are in memory.
 *
 * ```
 *   block      0 1 2 3 4 5 6 7
 *   written    . . x x . . x .     read 1..4: 1 from the file, 2 and 3 from memory, 4 from the file
 *   memory         A B     C
 *   file       a b c d e f g h
 * ```
 */
export class SnapshotBackend implements BlockBackend {
  readonly blockSize: number
  readonly blockCount: number
  readonly readOnly = false
  readonly supportsDiscard = true
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache = false
  readonly #guard: BlockGuard
  readonly #base: BlockBackend
  readonly #memory: BlockBackend
  readonly #written: BlockSet

  private constructor (path: string, base: BlockBackend) {
    this.blockSize = base.blockSize
    this.blockCount = base.blockCount
    this.#guard = new BlockGuard(`The snapshot of ${path}`, this)
    this.#base = base
    this.#memory = MemoryBackend.open(base.blockSize * base.blockCount, { blockSize: base.blockSize })
    this.#written = new BlockSet(base.blockCount)
  }

  /** Opens the file for reading. Rejects as `FileBackend.open` does. */
  static async open (path: string, context: BlockOpenContext): Promise<SnapshotBackend> {
    const base = await FileBackend.open({ path, readOnly: true }, context)
    try {
      return new SnapshotBackend(path, base)
    } catch (error) {
      await base[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Finds answers of the file. */
  readonly poll = (): boolean => this.#base.poll?.() ?? false

  read (lba: number, target: BlockBuffers): void | Promise<void> {
    this.#guard.assertRead(lba, target.byteLength)
    const blockCount = target.byteLength / this.blockSize
    if (blockCount === 0) return
    const isOneRun = this.#written.runFrom(lba, blockCount) === blockCount
    return isOneRun ? this.#storageOf(lba).read(lba, target) : this.#readRuns(lba, target, blockCount)
  }

  write (lba: number, source: BlockBuffers): void | Promise<void> {
    this.#guard.assertWrite(lba, source.byteLength)
    const done = this.#memory.write(lba, source)
    this.#written.add(lba, source.byteLength / this.blockSize)
    return done
  }

  flush (): void {
    this.#guard.assertOpen()
  }

  writeZeroes (lba: number, blockCount: number): void | Promise<void> {
    this.#guard.assertChange(lba, blockCount)
    this.#written.add(lba, blockCount)
    return this.#memory.writeZeroes(lba, blockCount)
  }

  /** What was discarded reads as zeroes, so it is remembered like what was written; it takes no memory. */
  discard (lba: number, blockCount: number): void | Promise<void> {
    return this.writeZeroes(lba, blockCount)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#guard.close()
    await this.#base[Symbol.asyncDispose]()
    await this.#memory[Symbol.asyncDispose]()
  }

  #storageOf (lba: number): BlockBackend {
    return this.#written.has(lba) ? this.#memory : this.#base
  }

  /** The first failure is the answer, but only once nobody uses the buffers any more. */
  async #readRuns (lba: number, target: BlockBuffers, blockCount: number): Promise<void> {
    const answers: Promise<void>[] = []
    try {
      for (let done = 0; done < blockCount;) {
        const run = this.#written.runFrom(lba + done, blockCount - done)
        const part = sliceBuffers(target, done * this.blockSize, run * this.blockSize)
        const answer = this.#storageOf(lba + done).read(lba + done, part)
        if (answer !== undefined) answers.push(answer)
        done += run
      }
    } finally {
      await Promise.allSettled(answers)
    }
    await Promise.all(answers)
  }
}

/** What the plugin contributes for `snapshot:PATH`. */
export const snapshotContribution: BlockBackendContribution = Object.freeze(
  {
    name: 'snapshot',
    summary: 'A file that is only read; what is written is in memory, and forgotten at the end.',
    usage: 'snapshot:PATH',
    check: assertPath,
    open: async (path, context) => {
      assertPath(path)
      return SnapshotBackend.open(path, context)
    }
  } satisfies BlockBackendContribution
)

function assertPath (path: string): void {
  if (path !== '') return
  throw new PcikitError(
    'PCIKIT_BLOCK_SPEC_INVALID',
    'The snapshot back end needs the path of a file: snapshot:disk.img.'
  )
}
