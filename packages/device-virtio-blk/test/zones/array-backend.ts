import type { BlockBackend, BlockBuffers } from '@pcikit/block'

/** How an array back end answers. */
export interface ArrayBackendOptions {
  readonly sectors?: number
  readonly blockSize?: number
  readonly readOnly?: boolean
  readonly supportsDiscard?: boolean
}

/** Storage in an array that is full of garbage at first, and takes down what changed it. */
export class ArrayBackend implements BlockBackend {
  readonly blockSize: number
  readonly blockCount: number
  readonly readOnly: boolean
  readonly supportsDiscard: boolean
  readonly supportsWriteZeroes = true
  readonly hasVolatileCache = true
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly calls: string[] = []
  readonly discard: BlockBackend['discard']
  /** Thrown by the next change or flush. */
  failure: Error | undefined
  /** While set, flushes are answered when it resolves. */
  gate: Promise<void> | undefined

  constructor (options: ArrayBackendOptions = {}) {
    this.blockSize = options.blockSize ?? 512
    this.bytes = new Uint8Array((options.sectors ?? 100) * 512).fill(0xee)
    this.blockCount = this.bytes.length / this.blockSize
    this.readOnly = options.readOnly ?? false
    this.supportsDiscard = options.supportsDiscard ?? true
    this.discard = this.supportsDiscard ? (lba, count) => this.#clear('discard', lba, count) : undefined
  }

  read (lba: number, target: BlockBuffers): void {
    if (!(target instanceof Uint8Array)) throw new Error('only arrays')
    target.set(this.bytes.subarray(lba * this.blockSize, lba * this.blockSize + target.length))
  }

  write (lba: number, source: BlockBuffers): void {
    if (!(source instanceof Uint8Array)) throw new Error('only arrays')
    this.bytes.set(source, lba * this.blockSize)
  }

  flush (): void | Promise<void> {
    this.#note('flush')
    return this.gate
  }

  writeZeroes (lba: number, blockCount: number): void {
    this.#clear('zero', lba, blockCount)
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.calls.push('close')
  }

  #clear (what: string, lba: number, blockCount: number): void {
    this.#note(`${what} ${lba} ${blockCount}`)
    this.bytes.fill(0, lba * this.blockSize, (lba + blockCount) * this.blockSize)
  }

  #note (call: string): void {
    this.calls.push(call)
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
  }
}
