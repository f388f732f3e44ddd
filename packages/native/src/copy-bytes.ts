import type { NativeBinding } from './binding.js'
import { addon } from './load-addon.js'

// Kept, because finding it among the addon's exports takes as long as calling it.
let copy: NativeBinding['copyBytes'] | undefined

/**
 * Copies `length` bytes at `sourceOffset` of `source` to `targetOffset` of `target`; they may overlap. Throws a
 * RangeError, and copies nothing, when they do not lie inside their arrays: of an array whose memory was taken away,
 * nothing does.
 *
 * `target.set(source.subarray(…))` does the same, and leaves an object behind for each call. Millions of them in a
 * second are garbage to collect; this call costs as much and leaves nothing.
 */
export function copyBytes (
  target: Uint8Array,
  targetOffset: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number
): void {
  copy ??= addon().copyBytes
  copy(target, targetOffset, source, sourceOffset, length)
}
