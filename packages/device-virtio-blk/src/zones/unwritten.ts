import type { BlockBuffers } from '@pcikit/block'

/** Zeroes the bytes of `target` from `start` to `end`. What was taken away meanwhile is left alone. */
export function zeroBytes (target: BlockBuffers, start: number, end: number): void {
  if (ArrayBuffer.isView(target)) {
    target.fill(0, start, end)
    return
  }
  let at = 0
  for (let index = 0; index < target.segmentCount && at < end; index += 1) {
    const length = target.lengthAt(index)
    const bytes = target.bytesAt(index)
    // Guest memory that was unmapped is an array of no length, which cannot be filled.
    if (at + length > start && bytes.byteLength > 0) {
      const offset = target.offsetAt(index)
      bytes.fill(0, offset + Math.max(0, start - at), offset + Math.min(length, end - at))
    }
    at += length
  }
}
