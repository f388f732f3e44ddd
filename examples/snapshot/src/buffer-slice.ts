import type { BlockBuffers } from '@pcikit/block'
import type { SegmentList } from '@pcikit/core'

/** Some of the bytes of a buffer, without a copy. */
export function sliceBuffers (buffers: BlockBuffers, start: number, byteLength: number): BlockBuffers {
  if (ArrayBuffer.isView(buffers)) return buffers.subarray(start, start + byteLength)
  return new SegmentSlice(buffers, start, byteLength)
}

interface Piece {
  readonly bytes: Uint8Array
  readonly offset: number
  readonly length: number
}

/** A range of a list of pieces, as a list of its own. */
class SegmentSlice implements SegmentList {
  readonly byteLength: number
  readonly #pieces: readonly Piece[]

  constructor (list: SegmentList, start: number, byteLength: number) {
    this.byteLength = byteLength
    const pieces: Piece[] = []
    const end = start + byteLength
    let position = 0
    for (let index = 0; index < list.segmentCount && position < end; index++) {
      const length = list.lengthAt(index)
      const skipped = Math.max(start - position, 0)
      const taken = Math.min(end - position, length) - skipped
      if (taken > 0) pieces.push({ bytes: list.bytesAt(index), offset: list.offsetAt(index) + skipped, length: taken })
      position += length
    }
    this.#pieces = pieces
  }

  get segmentCount (): number {
    return this.#pieces.length
  }

  bytesAt (index: number): Uint8Array {
    return this.#pieces[index]!.bytes
  }

  offsetAt (index: number): number {
    return this.#pieces[index]!.offset
  }

  lengthAt (index: number): number {
    return this.#pieces[index]!.length
  }
}
