import type { BlockBackend, BlockBuffers } from './block-backend.js'
import { BlockGuard } from './block-guard.js'
import type { BlockBackendContribution } from './open-backend.js'
import { blockCountOf, formatSize, parseSize } from './size.js'

/** Blocks that are always zero: writes vanish. What a device costs without storage, for benchmarks. */
export class NullBackend implements BlockBackend {
  readonly blockSize: number
  readonly blockCount: number
  readonly readOnly = false
  readonly supportsDiscard = true
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache = false
  readonly #guard: BlockGuard

  /** Throws PCIKIT_BLOCK_SPEC_INVALID for a size that is not whole blocks. */
  constructor (byteLength: number, options: { readonly blockSize: number }) {
    this.blockSize = options.blockSize
    this.blockCount = blockCountOf(byteLength, options.blockSize)
    this.#guard = new BlockGuard(`The null back end of ${formatSize(byteLength)}`, this)
  }

  read (lba: number, target: BlockBuffers): void {
    this.#guard.assertRead(lba, target.byteLength)
    if (target instanceof Uint8Array) {
      target.fill(0)
      return
    }
    for (let index = 0; index < target.segmentCount; index += 1) {
      const offset = target.offsetAt(index)
      target.bytesAt(index).fill(0, offset, offset + target.lengthAt(index))
    }
  }

  write (lba: number, source: BlockBuffers): void {
    this.#guard.assertWrite(lba, source.byteLength)
  }

  tryRead (lba: number, target: Uint8Array, offset: number, byteLength: number): boolean {
    this.#guard.assertRead(lba, byteLength)
    target.fill(0, offset, offset + byteLength)
    return true
  }

  tryWrite (lba: number, _source: Uint8Array, _offset: number, byteLength: number): boolean {
    this.#guard.assertWrite(lba, byteLength)
    return true
  }

  flush (): void {
    this.#guard.assertOpen()
  }

  writeZeroes (lba: number, blockCount: number): void {
    this.#guard.assertChange(lba, blockCount)
  }

  discard (lba: number, blockCount: number): void {
    this.#guard.assertChange(lba, blockCount)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#guard.close()
  }
}

/** What the plugin contributes for `null:SIZE`. */
export const nullContribution: BlockBackendContribution = Object.freeze(
  {
    name: 'null',
    summary: 'Nothing: reads give zeroes and writes vanish. For benchmarks.',
    usage: 'null:SIZE',
    check: argument => void parseSize(argument),
    open: async (argument, { blockSize }) => new NullBackend(parseSize(argument), { blockSize })
  } satisfies BlockBackendContribution
)
