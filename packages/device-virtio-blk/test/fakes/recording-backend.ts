import { MemoryBackend } from '@pcikit/block'
import type { BlockBackend, BlockBuffers } from '@pcikit/block'

/** What a recording back end is like. */
export interface RecordingOptions {
  readonly blockSize?: number
  readonly byteLength?: number
  readonly readOnly?: boolean
  readonly hasVolatileCache?: boolean
  readonly supportsDiscard?: boolean
  /** Answers in a later turn of the event loop. */
  readonly isAsync?: boolean
  /** Has `tryRead` and `tryWrite`, which succeed. */
  readonly isDirect?: boolean
}

/** Memory that takes down what was asked of it, and answers when the test lets it. */
export class RecordingBackend implements BlockBackend {
  readonly blockSize: number
  readonly readOnly: boolean
  readonly supportsDiscard: boolean
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache: boolean
  readonly calls: string[] = []
  readonly discard: BlockBackend['discard']
  readonly tryRead: BlockBackend['tryRead']
  readonly tryWrite: BlockBackend['tryWrite']
  blockCount: number
  /** Thrown by the next request. */
  failure: Error | undefined
  /** While set, requests are answered when it resolves. */
  gate: Promise<void> | undefined
  readonly #memory: MemoryBackend
  readonly #isAsync: boolean

  constructor (options: RecordingOptions = {}) {
    this.blockSize = options.blockSize ?? 512
    this.#memory = MemoryBackend.open(options.byteLength ?? 1024 * 1024, { blockSize: this.blockSize })
    this.blockCount = this.#memory.blockCount
    this.readOnly = options.readOnly ?? false
    this.hasVolatileCache = options.hasVolatileCache ?? true
    this.supportsDiscard = options.supportsDiscard ?? true
    this.#isAsync = options.isAsync ?? false
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
    this.discard = this.supportsDiscard ?
      (lba, count) => this.#answer(`discard ${lba} ${count}`, () => this.#memory.discard(lba, count)) :
      undefined
  }

  /** Bytes from a block on. */
  bytesAt (lba: number, byteLength = this.blockSize): Uint8Array {
    const bytes = new Uint8Array(byteLength)
    this.#memory.read(lba, bytes)
    return bytes
  }

  /** Fills blocks with a byte. */
  fill (lba: number, count: number, value: number): void {
    this.#memory.write(lba, new Uint8Array(count * this.blockSize).fill(value))
  }

  read (lba: number, target: BlockBuffers): void | Promise<void> {
    return this.#answer(`read ${lba} ${target.byteLength / this.blockSize}`, () => this.#memory.read(lba, target))
  }

  write (lba: number, source: BlockBuffers): void | Promise<void> {
    return this.#answer(`write ${lba} ${source.byteLength / this.blockSize}`, () => this.#memory.write(lba, source))
  }

  flush (): void | Promise<void> {
    return this.#answer('flush', () => undefined)
  }

  writeZeroes (lba: number, count: number): void | Promise<void> {
    return this.#answer(`zero ${lba} ${count}`, () => this.#memory.writeZeroes(lba, count))
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.calls.push('close')
    await this.#memory[Symbol.asyncDispose]()
  }

  #answer (call: string, work: () => void | Promise<void>): void | Promise<void> {
    this.calls.push(call)
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined && !this.#isAsync) throw failure
    const later = this.gate ?? (this.#isAsync ? new Promise<void>(resolve => setImmediate(resolve)) : undefined)
    if (later === undefined) return work()
    return later.then(() => {
      if (failure !== undefined) throw failure
      return work()
    })
  }
}

/** Closes the gate of a back end. Requests so far are answered by `release`, later ones from `reopen` on. */
export function closeGate (backend: RecordingBackend): { release: () => void, reopen: () => void } {
  let release: () => void = () => undefined
  backend.gate = new Promise(resolve => {
    release = resolve
  })
  return {
    release,
    reopen: () => {
      backend.gate = undefined
    }
  }
}
