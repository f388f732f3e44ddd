import type { BlockBackend, BlockBuffers } from '@pcikit/block'
import { PcikitError } from '@pcikit/core'

/** How a fake back end answers. */
export interface FakeBackendOptions {
  readonly blockSize?: number
  readonly blockCount?: number
  readonly readOnly?: boolean
  readonly hasVolatileCache?: boolean
  readonly supportsDiscard?: boolean
  /** Answers in a later turn of the event loop. */
  readonly isAsync?: boolean
  /** Has `tryRead` and `tryWrite`, which succeed. */
  readonly isDirect?: boolean
}

/** Storage in an array, which answers at once or later, and takes down what it was asked. */
export class FakeBackend implements BlockBackend {
  readonly blockSize: number
  blockCount: number
  readonly readOnly: boolean
  readonly supportsDiscard: boolean
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache: boolean
  readonly bytes: Uint8Array
  readonly calls: string[] = []
  /** Thrown by the next request. */
  failure: Error | undefined
  /** While set, requests are answered when it resolves. */
  gate: Promise<void> | undefined
  readonly #isAsync: boolean
  readonly tryRead: BlockBackend['tryRead']
  readonly tryWrite: BlockBackend['tryWrite']
  readonly discard: ((lba: number, blockCount: number) => void | Promise<void>) | undefined

  constructor (options: FakeBackendOptions = {}) {
    this.blockSize = options.blockSize ?? 512
    this.blockCount = options.blockCount ?? 2048
    this.readOnly = options.readOnly ?? false
    this.supportsDiscard = options.supportsDiscard ?? true
    this.hasVolatileCache = options.hasVolatileCache ?? true
    this.#isAsync = options.isAsync ?? false
    this.bytes = new Uint8Array(this.blockSize * this.blockCount)
    if (options.isDirect === true) {
      this.tryRead = (lba, target, offset, byteLength) => {
        void this.read(lba, target.subarray(offset, offset + byteLength))
        return true
      }
      this.tryWrite = (lba, source, offset, byteLength) => {
        void this.write(lba, source.subarray(offset, offset + byteLength))
        return true
      }
    }
    this.discard = this.supportsDiscard ? (lba, count) => this.#clear('discard', lba, count) : undefined
  }

  read (lba: number, target: BlockBuffers): void | Promise<void> {
    return this.#answer(`read ${lba} ${length(target) / this.blockSize}`, () => {
      let at = lba * this.blockSize
      each(target, (bytes, offset, count) => {
        bytes.set(this.bytes.subarray(at, at + count), offset)
        at += count
      })
    })
  }

  write (lba: number, source: BlockBuffers): void | Promise<void> {
    return this.#answer(`write ${lba} ${length(source) / this.blockSize}`, () => {
      let at = lba * this.blockSize
      each(source, (bytes, offset, count) => {
        this.bytes.set(bytes.subarray(offset, offset + count), at)
        at += count
      })
    })
  }

  flush (): void | Promise<void> {
    return this.#answer('flush', () => undefined)
  }

  writeZeroes (lba: number, count: number): void | Promise<void> {
    return this.#clear('zero', lba, count)
  }

  checkSize (): boolean {
    return false
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.calls.push('close')
  }

  #clear (what: string, lba: number, count: number): void | Promise<void> {
    return this.#answer(`${what} ${lba} ${count}`, () => {
      this.bytes.fill(0, lba * this.blockSize, (lba + count) * this.blockSize)
    })
  }

  #answer (call: string, work: () => void): void | Promise<void> {
    this.calls.push(call)
    const failure = this.failure
    this.failure = undefined
    if (failure !== undefined && !this.#isAsync) throw failure
    const later = this.gate ?? (this.#isAsync ? new Promise<void>(resolve => setImmediate(resolve)) : undefined)
    if (later === undefined) return work()
    return later.then(() => {
      if (failure !== undefined) throw failure
      work()
    })
  }
}

/** A back end whose requests are answered when it is released. Later ones, and those after `unstick`, are at once. */
export function stuckBackend (): { backend: FakeBackend, release: () => void, unstick: () => void } {
  const backend = new FakeBackend()
  let open: () => void = () => undefined
  backend.gate = new Promise(resolve => {
    open = resolve
  })
  const unstick = (): void => {
    backend.gate = undefined
  }
  const release = (): void => {
    unstick()
    open()
  }
  return { backend, release, unstick }
}

export function outOfRange (): PcikitError {
  return new PcikitError('PCIKIT_BLOCK_OUT_OF_RANGE', 'out of range')
}

function length (buffers: BlockBuffers): number {
  return buffers.byteLength
}

function each (buffers: BlockBuffers, visit: (bytes: Uint8Array, offset: number, count: number) => void): void {
  if (buffers instanceof Uint8Array) {
    visit(buffers, 0, buffers.length)
    return
  }
  for (let index = 0; index < buffers.segmentCount; index++) {
    visit(buffers.bytesAt(index), buffers.offsetAt(index), buffers.lengthAt(index))
  }
}
