import type { NativeIoRing } from './binding.js'
import { addon } from './load-addon.js'

/**
 * File transfers by the kernel itself, through io_uring: many are started with one system call, no thread is needed
 * where nothing has to be waited for, and answers can be seen without the event loop.
 *
 * ```
 *   prepareRead(slot 0) ┐                  ┌ answers: slot 2, 4096
 *   prepareRead(slot 1) ├─► exchange() ◄───┤          slot 0, 4096
 *   prepareSync(slot 2) ┘                  └          …
 * ```
 *
 * A request occupies a slot, which the caller picks, until `exchange` has returned its answer. Nothing is handed to
 * the kernel before `exchange` is called. Requests are not ordered among themselves.
 *
 * Segments are as for `readVector`: the arrays are read before a call returns, the memory stays in place until the
 * answer, and a mapping may be detached, revoked or unmapped meanwhile, which ends the transfer with `EFAULT`. The
 * descriptor must stay open until the answer. Buffers are never registered with the kernel: that would keep the memory
 * of a guest in use after its unmap.
 *
 * While requests are in flight they keep the process running, and the ring from being collected.
 */
export class IoRing {
  readonly slotCount: number
  readonly #native: NativeIoRing
  readonly #counters: Int32Array
  readonly #headIndex: number
  readonly #tailIndex: number

  private constructor (slotCount: number, native: NativeIoRing) {
    this.slotCount = slotCount
    this.#native = native
    this.#counters = native.counters
    this.#headIndex = native.headIndex
    this.#tailIndex = native.tailIndex
  }

  /**
   * Makes a ring with 1 to 4,096 slots. Throws a system error where there is no io_uring: `ENOSYS` before Linux 5.12,
   * `EPERM` where it is forbidden (`kernel.io_uring_disabled`, the seccomp profile of a container), `ENOMEM`, `EMFILE`.
   */
  static create (slotCount: number): IoRing {
    const { IoRing: Native } = addon()
    return new IoRing(slotCount, new Native(slotCount))
  }

  /** Prepares a read, as `readVector` does it. Throws a system error: `EBUSY` for a slot in use, `EBADF` if closed. */
  prepareRead (
    slot: number,
    fd: number,
    buffers: readonly Uint8Array[],
    offsets: readonly number[],
    lengths: readonly number[],
    count: number,
    position: number
  ): void {
    this.#native.prepareRead(slot, fd, buffers, offsets, lengths, count, position)
  }

  /** Prepares a write, as `writeVector` does it. Throws as `prepareRead` does. */
  prepareWrite (
    slot: number,
    fd: number,
    buffers: readonly Uint8Array[],
    offsets: readonly number[],
    lengths: readonly number[],
    count: number,
    position: number
  ): void {
    this.#native.prepareWrite(slot, fd, buffers, offsets, lengths, count, position)
  }

  /** Prepares what `syncFileData` does. Throws as `prepareRead` does. */
  prepareSync (slot: number, fd: number): void {
    this.#native.prepareSync(slot, fd)
  }

  /** Whether `exchange` would find answers: two loads from memory, which cost a tenth of a call of `exchange`. */
  get hasAnswers (): boolean {
    // The kernel moves the tail; the head moves in `exchange` alone.
    return this.#counters[this.#headIndex] !== Atomics.load(this.#counters, this.#tailIndex)
  }

  /**
   * Hands over what was prepared and takes what was answered, without waiting. Returns how many answers there are.
   * Answer n is the slot `answers[2 * n]` and the result `answers[2 * n + 1]`: the bytes moved (fewer than asked only
   * at the end of the file), or a negative errno. Those that find no room are left for the next call.
   *
   * Costs a system call only if something was prepared. What the page cache answers is there at once.
   */
  exchange (answers: Float64Array): number {
    return this.#native.exchange(answers)
  }

  /**
   * Gives the processor away until there is an answer to take, for so many microseconds at most, up to a second. For
   * whoever would look on otherwise: a thread of the kernel that works for the ring may be in need of that very core.
   * Returns at once while nothing is in flight. What was prepared and not handed over counts as such.
   */
  wait (microseconds: number): void {
    this.#native.wait(microseconds)
  }

  /**
   * Whether the threads of the kernel that work for rings of this thread are kept on its core, as they are with one or
   * two requests under way, from Linux 6.3 on. Whoever looks on then takes the core from them.
   */
  get areThreadsHere (): boolean {
    return this.#native.areThreadsHere()
  }

  /** Calls `callback` from the event loop while there are answers to take, until it is replaced or cleared. */
  onAnswer (callback: (() => void) | undefined): void {
    this.#native.onAnswer(callback)
  }

  /**
   * Cancels what is in flight, waits until the kernel has let go of its memory, and gives the ring back. The wait is
   * as long as a disk takes, so close it when nothing is in flight. The end of a worker thread does the same. More
   * calls do nothing.
   */
  close (): void {
    this.#native.close()
  }
}
