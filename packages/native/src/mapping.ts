import type { NativeMapping } from './binding.js'
import { addon } from './load-addon.js'

/** Longest window of a mapping, in bytes: Node 20 has no larger typed array. */
export const WINDOW_BYTES_MAX = 0x1_0000_0000

/** What may be done with mapped memory. */
export interface MappingAccess {
  readonly read: boolean
  readonly write: boolean
}

/**
 * Memory of a file, shared with whoever else maps it.
 *
 * - The addresses of a mapping are given back only when it was unmapped (or collected), every window of it is
 *   detached or collected, and no `readVector` or `writeVector` is in flight into it. A forgotten mapping or window
 *   costs address space, never a crash.
 * - An access that finds no memory, because the file became shorter or the mapping allows no writing, does not end
 *   the process: the page is replaced by one of zeroes that only this process sees, and `faulted` becomes true. What
 *   is read or written there from then on means nothing, so the owner should unmap a mapping that faulted. There is
 *   no other guard: do not write to a mapping made without `write`.
 * - Linux allows a process `vm.max_map_count` mappings (65,530 unless it was raised). Within 4,096 of that, `map`
 *   throws `ENOMEM`, because the JavaScript engine needs some too.
 */
export class Mapping {
  readonly byteLength: number
  readonly #native: NativeMapping

  private constructor (byteLength: number, native: NativeMapping) {
    this.byteLength = byteLength
    this.#native = native
  }

  /**
   * Maps `byteLength` bytes of a file from `offset`, which must be a multiple of the page size. The descriptor may be
   * closed afterwards. Nothing is reserved, so a sparse file of any size can be mapped. Throws a system error: `EACCES`
   * when the descriptor does not allow `access`, `ENODEV` when it has no memory to map, `EINVAL`, `ENOMEM`.
   */
  static map (fd: number, offset: number, byteLength: number, access: MappingAccess): Mapping {
    const { Mapping: Native } = addon()
    if (fd < 0) throw new RangeError('The file descriptor must not be negative.')
    return new Mapping(byteLength, new Native(fd, offset, byteLength, access.read, access.write))
  }

  /** Maps fresh zeroed memory without a file, for reading and writing. */
  static anonymous (byteLength: number): Mapping {
    const { Mapping: Native } = addon()
    return new Mapping(byteLength, new Native(-1, 0, byteLength, true, true))
  }

  /**
   * An array buffer over a part of the mapping, of 1 to `WINDOW_BYTES_MAX` bytes. Throws a RangeError past the end, and
   * a system error `EFAULT` after `revoke` or `unmap`.
   *
   * Make large ones when they are first needed: the engine counts the bytes as memory that a garbage collection might
   * give back, and so collects, for some milliseconds, when the count rises by more than about a gigabyte. Do not
   * transfer the buffer, neither to another thread nor to another buffer: what takes its memory cannot be detached. It
   * loses the memory when the mapping is unmapped, but keeps the addresses reserved. And do not mark it as
   * untransferable: from Node 24 on that forbids detaching it.
   */
  window (offset: number, byteLength: number): ArrayBuffer {
    return this.#native.window(offset, byteLength)
  }

  /** Detaches one window: every view of it has length 0 from then on. */
  detachWindow (window: ArrayBuffer): void {
    this.#native.detachWindow(window)
  }

  /** Detaches every window. The memory stays mapped, and new windows can be made. */
  detach (): void {
    this.#native.detach()
  }

  /**
   * Detaches every window and puts inaccessible pages in the place of the memory. A `readVector` or `writeVector` in
   * flight can no longer reach the file through this mapping, and ends with `EFAULT`. The exception is direct I/O
   * (O_DIRECT), whose device writes to pages that the kernel holds already.
   */
  revoke (): void {
    this.#native.revoke()
  }

  /**
   * Detaches every window and gives the memory back. Transfers in flight are cut off as by `revoke`. More calls do
   * nothing.
   */
  unmap (): void {
    this.#native.unmap()
  }

  /** Whether an access ever found no memory behind this mapping. Still answered after `unmap`. */
  get faulted (): boolean {
    return this.#native.faultCount !== 0
  }
}

// Kept, because finding it among the addon's exports takes longer than looking at it.
let repairedFaults: Int32Array | undefined

/** How many accesses to any mapping of this process found no memory: a cheap question before asking each `faulted`. */
export function mappingFaultCount (): number {
  repairedFaults ??= addon().repairedFaults
  return Atomics.load(repairedFaults, 0)
}
