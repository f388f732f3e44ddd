import type { SegmentList } from '@pcikit/core'

/** Where the data of a transfer goes to or comes from: one array, or guest memory in pieces of any length. */
export type BlockBuffers = Uint8Array | SegmentList

/**
 * Storage in blocks of one size, numbered from 0.
 *
 * A request is answered at once (nothing is returned, the work is done) or by a promise, as suits the back end: one
 * that answers at once costs its caller neither a promise nor a turn of the event loop. A refused or failed request
 * throws or rejects, so a caller treats both alike. The failures have codes:
 *
 * - PCIKIT_BLOCK_OUT_OF_RANGE: the range does not lie inside the storage, or is not whole blocks. Nothing was done.
 * - PCIKIT_BLOCK_READ_ONLY: a change of storage that allows none. Nothing was done.
 * - PCIKIT_BLOCK_CLOSED: the back end was closed. Nothing was done.
 * - anything else comes from the storage. Blocks of a failed write may hold old data, new data or a mix.
 *
 * A request of zero blocks does nothing. Requests may overlap in time and are not ordered among themselves. The buffers
 * belong to the back end until the request is answered, and not a moment longer. Guest memory can be taken away
 * meanwhile: a piece whose array has become empty fails the request, and a request in flight may fail in its midst.
 */
export interface BlockBackend extends AsyncDisposable {
  /** In bytes, a power of two. */
  readonly blockSize: number
  /**
   * How many there are. It changes, if at all, in a {@link BlockBackend.checkSize}, and requests are checked against
   * what it is when they arrive.
   */
  readonly blockCount: number
  /** Whether `write`, `discard` and `writeZeroes` are refused. */
  readonly readOnly: boolean
  /** Whether there is a `discard`. */
  readonly supportsDiscard: boolean
  /** Whether `writeZeroes` is quicker than writing zeroes. It works in any case. */
  readonly supportsWriteZeroes: boolean
  /** Whether completed writes can be lost with the power or the host until `flush` was answered. */
  readonly hasVolatileCache: boolean
  /** Whether what was written is gone once the back end is closed. False where not given. */
  readonly isTransient?: boolean

  /** Fills `target` with the blocks from `lba` on. Blocks that were never written read as zeroes. */
  read(lba: number, target: BlockBuffers): void | Promise<void>
  /** Makes the blocks from `lba` on those of `source`. A read that starts after the answer sees them. */
  write(lba: number, source: BlockBuffers): void | Promise<void>
  /**
   * Fills `byteLength` bytes at `offset` of `target` with the blocks from `lba` on, where that can be done at once.
   * False: nothing was done, and `read` does it in its time. Refuses and fails as `read` does.
   *
   * For devices that have a quicker way for what is over when the call returns: nothing can take memory away meanwhile,
   * so there need be no lease on it. Present where requests are answered at once.
   */
  readonly tryRead?:
    | ((lba: number, target: Uint8Array, offset: number, byteLength: number) => boolean)
    | undefined
  /** The same for `write`. */
  readonly tryWrite?:
    | ((lba: number, source: Uint8Array, offset: number, byteLength: number) => boolean)
    | undefined
  /** Makes every write that was answered before this call survive a loss of power. */
  flush(): void | Promise<void>
  /** Makes blocks read as zeroes. */
  writeZeroes(lba: number, blockCount: number): void | Promise<void>
  /**
   * Gives the storage behind blocks back. They read as zeroes from then on. Present if and only if
   * {@link BlockBackend.supportsDiscard} says so.
   */
  readonly discard?: ((lba: number, blockCount: number) => void | Promise<void>) | undefined

  /**
   * Looks for requests that were answered meanwhile, and settles their promises; hands over what the back end may have
   * kept to start together with more. Returns true when it settled any: what waits for these promises runs when the
   * caller is done and the microtasks run.
   *
   * It does not wait. With `mayWait` it may, for some tens of microseconds and until a request is answered: for a
   * caller that has nothing else to do and would ask again at once, while a thread of the back end may be in need of
   * the core.
   *
   * For a device that polls, between its other work. Nobody has to call it: the event loop does the same, only later,
   * and some requests may be answered by the event loop alone. Present where it can find anything. Calls after the back
   * end was closed find nothing.
   */
  readonly poll?: ((mayWait?: boolean) => boolean) | undefined

  /**
   * Looks whether the storage has another size now, and takes it over: blocks past its new end are out of range from
   * then on, and new ones read as what the storage holds there. Answers true where `blockCount` changed. Storage that
   * ends within a block ends before it. Rejects where the size cannot be found out, which changes nothing.
   *
   * For devices that tell their guest: `watchSize` calls it regularly. Present where the size can change. Once the back
   * end was closed it finds no change.
   */
  readonly checkSize?: (() => boolean | Promise<boolean>) | undefined

  /**
   * Closes the storage once the requests in flight are answered. It does not flush. More calls wait for the first.
   * Once it resolves, no buffer of any request is touched.
   */
  [Symbol.asyncDispose](): Promise<void>
}
