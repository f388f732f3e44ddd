import type { BlockBuffers } from './block-backend.js'

/**
 * The pieces of a transfer as the native calls take them. One is enough for a back end: the calls read the arrays
 * before they return, and it is filled again for the next.
 */
export class TransferVector {
  readonly buffers: Uint8Array[] = []
  readonly offsets: number[] = []
  readonly lengths: number[] = []
  #count = 0

  /** How many pieces there are. */
  get count (): number {
    return this.#count
  }

  /** Makes the pieces those of `buffers`. */
  load (buffers: BlockBuffers): void {
    if (buffers instanceof Uint8Array) {
      this.#setPiece(0, buffers, 0, buffers.byteLength)
      this.#count = 1
      return
    }
    const { segmentCount } = buffers
    for (let index = 0; index < segmentCount; index += 1) {
      this.#setPiece(index, buffers.bytesAt(index), buffers.offsetAt(index), buffers.lengthAt(index))
    }
    this.#count = segmentCount
  }

  /** Makes the pieces `byteLength` bytes, all of them from the start of `source`, again and again. */
  repeat (source: Uint8Array, byteLength: number): void {
    let done = 0
    this.#count = 0
    while (done < byteLength) {
      const length = Math.min(source.byteLength, byteLength - done)
      this.#setPiece(this.#count, source, 0, length)
      this.#count += 1
      done += length
    }
  }

  /** Lets the buffers go: nothing here may keep guest memory alive. */
  clear (): void {
    this.buffers.length = 0
    this.#count = 0
  }

  #setPiece (index: number, bytes: Uint8Array, offset: number, length: number): void {
    this.buffers[index] = bytes
    this.offsets[index] = offset
    this.lengths[index] = length
  }
}
