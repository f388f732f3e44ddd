import { PcikitError } from '@pcikit/core'
import type { BlockBackend, BlockBuffers } from './block-backend.js'
import { BlockGuard } from './block-guard.js'
import { InFlight } from './in-flight.js'
import type { BlockBackendContribution } from './open-backend.js'
import { blockCountOf, formatSize, parseSize } from './size.js'
import { SPARSE_MEMORY_BYTES_MAX, SparseMemory } from './sparse-memory.js'

/**
 * Blocks in memory, gone when it is closed. It takes as much memory as was written, and gives back what is discarded.
 * Reads, writes and small discards answer at once, with one copy.
 */
export class MemoryBackend implements BlockBackend {
  readonly blockSize: number
  readonly blockCount: number
  readonly readOnly = false
  readonly supportsDiscard = true
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache = false
  readonly isTransient = true
  readonly #guard: BlockGuard
  readonly #memory: SparseMemory
  readonly #inFlight: InFlight
  #closing: Promise<void> | undefined

  private constructor (byteLength: number, blockSize: number) {
    this.blockSize = blockSize
    this.blockCount = byteLength / blockSize
    this.#guard = new BlockGuard(`The memory back end of ${formatSize(byteLength)}`, this)
    this.#memory = new SparseMemory('pcikit-block', byteLength)
    this.#inFlight = new InFlight()
    this.#closing = undefined
  }

  /** Makes an empty one. Throws PCIKIT_BLOCK_SPEC_INVALID for a size that is not whole blocks. */
  static open (byteLength: number, options: { readonly blockSize: number }): MemoryBackend {
    blockCountOf(byteLength, options.blockSize)
    if (byteLength > SPARSE_MEMORY_BYTES_MAX) {
      throw new PcikitError(
        'PCIKIT_BLOCK_SPEC_INVALID',
        `A memory back end holds ${formatSize(SPARSE_MEMORY_BYTES_MAX)} at most, not ${formatSize(byteLength)}.`
      )
    }
    return new MemoryBackend(byteLength, options.blockSize)
  }

  /** How many bytes of memory the blocks take at the moment. */
  get allocatedBytes (): number {
    this.#guard.assertOpen()
    return this.#memory.allocatedBytes
  }

  read (lba: number, target: BlockBuffers): void {
    this.#guard.assertRead(lba, target.byteLength)
    let at = lba * this.blockSize
    if (ArrayBuffer.isView(target)) {
      this.#memory.read(at, target, 0, target.byteLength)
      return
    }
    for (let index = 0; index < target.segmentCount; index += 1) {
      const length = target.lengthAt(index)
      this.#memory.read(at, target.bytesAt(index), target.offsetAt(index), length)
      at += length
    }
  }

  write (lba: number, source: BlockBuffers): void {
    this.#guard.assertWrite(lba, source.byteLength)
    let at = lba * this.blockSize
    if (ArrayBuffer.isView(source)) {
      this.#memory.write(at, source, 0, source.byteLength)
      return
    }
    for (let index = 0; index < source.segmentCount; index += 1) {
      const length = source.lengthAt(index)
      this.#memory.write(at, source.bytesAt(index), source.offsetAt(index), length)
      at += length
    }
  }

  tryRead (lba: number, target: Uint8Array, offset: number, byteLength: number): boolean {
    this.#guard.assertRead(lba, byteLength)
    this.#memory.read(lba * this.blockSize, target, offset, byteLength)
    return true
  }

  tryWrite (lba: number, source: Uint8Array, offset: number, byteLength: number): boolean {
    this.#guard.assertWrite(lba, byteLength)
    this.#memory.write(lba * this.blockSize, source, offset, byteLength)
    return true
  }

  flush (): void {
    this.#guard.assertOpen()
  }

  writeZeroes (lba: number, blockCount: number): void | Promise<void> {
    this.#guard.assertChange(lba, blockCount)
    const answer = this.#memory.zero(lba * this.blockSize, blockCount * this.blockSize)
    return answer === undefined ? undefined : this.#inFlight.track(answer)
  }

  discard (lba: number, blockCount: number): void | Promise<void> {
    return this.writeZeroes(lba, blockCount)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#guard.close()
    this.#closing ??= this.#inFlight.idle().then(() => this.#memory.close())
    await this.#closing
  }
}

/** What the plugin contributes for `memory:SIZE`. */
export const memoryContribution: BlockBackendContribution = Object.freeze(
  {
    name: 'memory',
    summary: 'Memory of this process, which takes what is written and is gone when it ends.',
    usage: 'memory:SIZE',
    check: argument => void parseSize(argument),
    open: async (argument, { blockSize }) => MemoryBackend.open(parseSize(argument), { blockSize })
  } satisfies BlockBackendContribution
)
