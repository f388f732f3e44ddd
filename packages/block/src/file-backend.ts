import { PcikitError } from '@pcikit/core'
import { AllocateMode, fileAllocate } from '@pcikit/native'
import type { BlockBackend, BlockBuffers } from './block-backend.js'
import { BlockGuard } from './block-guard.js'
import { CachedTransfers } from './cached-transfers.js'
import { parseFileSpec } from './file-spec.js'
import type { FileSpec } from './file-spec.js'
import { currentByteLength, openFileStorage, unavailable } from './file-storage.js'
import type { FileStorage } from './file-storage.js'
import { openFileTransfers } from './file-transfers.js'
import type { FileTransfers } from './file-transfers.js'
import { InFlight } from './in-flight.js'
import type { BlockBackendContribution, BlockOpenContext } from './open-backend.js'
import { TransferVector } from './transfer-vector.js'

/** What is written where a file system cannot zero a range by itself. */
const ZEROES = new Uint8Array(65_536)

/** How much of it is written in one go. */
const ZEROES_BYTES_MAX = 64 * ZEROES.byteLength

/**
 * Blocks in a regular file or on a block device. Data goes straight between the file and the caller's memory, through
 * the page cache. What needs no waiting is done at once: reading what is cached, writing where the file system can tell
 * that it will not wait or hardly ever does, and everything in a file in memory. The rest goes through io_uring where
 * the kernel allows it, and elsewhere through libuv's thread pool. `flush` is fdatasync.
 */
export class FileBackend implements BlockBackend {
  readonly blockSize: number
  readonly readOnly: boolean
  readonly supportsDiscard: boolean
  readonly supportsWriteZeroes: boolean
  readonly hasVolatileCache: boolean
  readonly discard: BlockBackend['discard']
  readonly poll: BlockBackend['poll']
  readonly #guard: BlockGuard
  readonly #path: string
  readonly #storage: FileStorage
  readonly #fd: number
  readonly #vector: TransferVector
  readonly #transfers: FileTransfers
  readonly #cached: CachedTransfers
  readonly #inFlight: InFlight
  #blockCount: number
  #isOpen: boolean
  #zeroModes: readonly AllocateMode[]
  #flushFailure: Error | undefined
  #closing: Promise<void> | undefined

  private constructor (spec: FileSpec, storage: FileStorage, transfers: FileTransfers, blockSize: number) {
    this.blockSize = blockSize
    this.readOnly = spec.readOnly
    this.supportsDiscard = storage.canPunchHoles
    this.supportsWriteZeroes = storage.canPunchHoles
    this.hasVolatileCache = !spec.readOnly
    this.discard = storage.canPunchHoles ? (lba, blockCount) => this.#zero(lba, blockCount) : undefined
    this.poll = transfers.poll
    this.#guard = new BlockGuard(`The file ${spec.path}`, this)
    this.#path = spec.path
    this.#storage = storage
    this.#fd = storage.handle.fd
    this.#vector = new TransferVector()
    this.#transfers = transfers
    this.#cached = new CachedTransfers(this.#fd, {
      waiting: storage.inMemory ? 'allowed' : 'never',
      writesSoon: (spec.io ?? 'auto') === 'auto'
    })
    this.#inFlight = new InFlight()
    this.#blockCount = storage.byteLength / blockSize
    this.#isOpen = true
    this.#flushFailure = undefined
    this.#closing = undefined
    // A hole first: a sparse file stays sparse.
    this.#zeroModes = [AllocateMode.PUNCH_HOLE, AllocateMode.ZERO_RANGE]
  }

  /** Opens a file that exists. Rejects with PCIKIT_BLOCK_UNAVAILABLE or PCIKIT_BLOCK_LOCKED. */
  static async open (spec: FileSpec, context: BlockOpenContext): Promise<FileBackend> {
    const storage = await openFileStorage(spec, context.logger)
    try {
      assertWholeBlocks(spec, storage.byteLength, context.blockSize)
      const transfers = openFileTransfers(spec, storage.handle.fd, context.logger)
      return new FileBackend(spec, storage, transfers, context.blockSize)
    } catch (error) {
      await storage.handle.close()
      throw error
    }
  }

  get blockCount (): number {
    return this.#blockCount
  }

  read (lba: number, target: BlockBuffers): void | Promise<void> {
    this.#guard.assertRead(lba, target.byteLength)
    if (target.byteLength === 0) return
    return this.#read(lba * this.blockSize, target)
  }

  write (lba: number, source: BlockBuffers): void | Promise<void> {
    this.#guard.assertWrite(lba, source.byteLength)
    if (source.byteLength === 0) return
    return this.#write(lba * this.blockSize, source)
  }

  flush (): void | Promise<void> {
    this.#guard.assertOpen()
    if (this.readOnly) return
    return this.#inFlight.track(this.#sync())
  }

  writeZeroes (lba: number, blockCount: number): void | Promise<void> {
    return this.#zero(lba, blockCount)
  }

  async checkSize (): Promise<boolean> {
    if (!this.#isOpen) return false
    const byteLength = await this.#inFlight.track(currentByteLength(this.#storage))
    const before = this.#blockCount
    this.#blockCount = Math.floor(byteLength / this.blockSize)
    return this.#blockCount !== before
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#isOpen = false
    this.#guard.close()
    this.#closing ??= this.#inFlight.idle().then(() => {
      this.#transfers.close()
      return this.#storage.handle.close()
    })
    await this.#closing
  }

  #read (position: number, target: BlockBuffers): void | Promise<void> {
    const vector = this.#vector
    vector.load(target)
    try {
      if (this.#cached.read(vector, position, target.byteLength)) return
      return this.#expect(this.#transfers.read(vector, position), target.byteLength)
    } finally {
      vector.clear()
    }
  }

  #write (position: number, source: BlockBuffers): void | Promise<void> {
    const vector = this.#vector
    vector.load(source)
    try {
      const written = this.#cached.write(vector, position, source.byteLength)
      if (written === true) return
      const transfer = written === false ? this.#transfers.write(vector, position) : written
      return this.#expect(transfer, source.byteLength)
    } finally {
      vector.clear()
    }
  }

  /**
   * A file that ends early was cut off after it was opened. Zeroes in the place of what is gone would be wrong data
   * that nobody notices, so it is an error.
   */
  async #expect (transfer: Promise<number>, byteLength: number): Promise<void> {
    this.#inFlight.begin()
    let done = 0
    try {
      done = await transfer
    } finally {
      this.#inFlight.end()
    }
    if (done === byteLength) return
    throw new PcikitError(
      'PCIKIT_BLOCK_UNAVAILABLE',
      `The file ${this.#path} has become shorter than its ${this.blockCount} blocks. Restore its size.`,
      { details: { path: this.#path, expected: byteLength, done } }
    )
  }

  /**
   * When writing back fails, Linux tells it once and then takes the pages for clean: the next fdatasync would succeed
   * although data is lost. So a failure is for ever.
   */
  async #sync (): Promise<void> {
    if (this.#flushFailure !== undefined) throw this.#flushFailure
    try {
      await this.#transfers.sync()
    } catch (cause) {
      this.#flushFailure ??= new PcikitError(
        'PCIKIT_BLOCK_UNAVAILABLE',
        `Data of the file ${this.#path} could not be written and may be lost. Check the storage below it.`,
        { cause, details: { path: this.#path } }
      )
      throw this.#flushFailure
    }
  }

  #zero (lba: number, blockCount: number): void | Promise<void> {
    this.#guard.assertChange(lba, blockCount)
    if (blockCount === 0) return
    return this.#inFlight.track(this.#zeroRange(lba * this.blockSize, blockCount * this.blockSize))
  }

  async #zeroRange (position: number, byteLength: number): Promise<void> {
    for (const mode of this.#zeroModes) {
      try {
        await fileAllocate(this.#fd, mode, position, byteLength)
        return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EOPNOTSUPP') throw error
        this.#zeroModes = this.#zeroModes.filter(other => other !== mode)
      }
    }
    for (let done = 0; done < byteLength; done += ZEROES_BYTES_MAX) {
      const part = Math.min(byteLength - done, ZEROES_BYTES_MAX)
      this.#vector.repeat(ZEROES, part)
      const written = this.#expect(this.#transfers.write(this.#vector, position + done), part)
      this.#vector.clear()
      await written
    }
  }
}

function assertWholeBlocks (spec: FileSpec, byteLength: number, blockSize: number): void {
  if (byteLength > 0 && byteLength % blockSize === 0) return
  const above = (Math.floor(byteLength / blockSize) + 1) * blockSize
  const isWholeSectors = byteLength > 0 && byteLength % 512 === 0
  throw unavailable(
    spec,
    `is ${byteLength} bytes long, which is not whole blocks of ${blockSize} bytes. ` +
      (isWholeSectors ? 'Choose a block size of 512, or make' : 'Make') + ` it longer with "truncate -s ${above}"`
  )
}

/** What the plugin contributes for `file:PATH`. */
export const fileContribution: BlockBackendContribution = Object.freeze(
  {
    name: 'file',
    summary: 'A regular file or a block device. Write a comma of the path twice.',
    usage: 'file:PATH[,readonly][,io=threads]',
    check: argument => void parseFileSpec(argument),
    open: (argument, context) => FileBackend.open(parseFileSpec(argument), context)
  } satisfies BlockBackendContribution
)
