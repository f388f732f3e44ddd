import type { SegmentList } from '@pcikit/core'

/** Copies `source` to the pieces, and zeroes after its end. */
export function fillSegments (target: SegmentList, source: Uint8Array): void {
  let done = 0
  for (let index = 0; index < target.segmentCount; index++) {
    const bytes = target.bytesAt(index)
    const offset = target.offsetAt(index)
    const length = target.lengthAt(index)
    const copied = Math.max(0, Math.min(length, source.length - done))
    if (copied > 0) bytes.set(source.subarray(done, done + copied), offset)
    if (copied < length) bytes.fill(0, offset + copied, offset + length)
    done += length
  }
}

/** Copies the pieces to the start of `target`, which has room for all of them. */
export function gatherSegments (source: SegmentList, target: Uint8Array): void {
  let done = 0
  for (let index = 0; index < source.segmentCount; index++) {
    const offset = source.offsetAt(index)
    const length = source.lengthAt(index)
    target.set(source.bytesAt(index).subarray(offset, offset + length), done)
    done += length
  }
}
