import { addon } from './load-addon.js'

/** The position that stands for the descriptor's own, for pipes and the like. */
export const OWN_POSITION = -1

/** What `fileAllocate` does with a range. Source: Linux manual, fallocate(2). */
export const AllocateMode = {
  /** Allocates space; the file may grow. */
  ALLOCATE: 0,
  /** Allocates space past the end too, without changing the size. */
  KEEP_SIZE: 0x1,
  /** Gives the space back: the range reads as zeroes. The size stays. */
  PUNCH_HOLE: 0x2 | 0x1,
  /** Makes the range read as zeroes, and keeps its space. The size stays. */
  ZERO_RANGE: 0x10 | 0x1
} as const
/** One of the modes of `fileAllocate`. */
export type AllocateMode = (typeof AllocateMode)[keyof typeof AllocateMode]

/**
 * Reads from a file into the first `count` segments, on a thread of libuv's pool. Segment n is `lengths[n]` bytes of
 * `buffers[n]` at `offsets[n]`. Resolves to the bytes read, fewer than asked only at the end of the file; rejects with
 * a system error.
 *
 * The arrays are read before this returns, and may be used again at once. Windows of a `Mapping` may be detached and
 * the mapping revoked or unmapped while this runs: see there. Memory of other arrays must not be transferred meanwhile.
 * The descriptor must stay open until the promise settles, or the next file of that number would be read.
 */
export function readVector (
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number
): Promise<number> {
  return addon().readVector(fd, buffers, offsets, lengths, count, position)
}

/** Writes segments to a file, as `readVector` reads them. Resolves to the bytes written, which are all. */
export function writeVector (
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number
): Promise<number> {
  return addon().writeVector(fd, buffers, offsets, lengths, count, position)
}

/**
 * Whether a transfer on the calling thread may wait. `never`: it fails with `-EAGAIN` where it would have to, and with
 * `-EOPNOTSUPP` where the file system cannot tell. `allowed` is for files in memory, which have nothing to wait for.
 */
export type Waiting = 'never' | 'allowed'

/**
 * Reads what the page cache has, without a thread. Returns the bytes read, which may be fewer than asked at any time,
 * or a negative errno. Use `readVector` for the rest. Most file systems can tell what would have to wait; tmpfs cannot.
 */
export function readVectorNow (
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number,
  waiting: Waiting = 'never'
): number {
  return addon().readVectorNow(fd, buffers, offsets, lengths, count, position, waiting === 'allowed')
}

/**
 * Writes to the page cache, as `readVectorNow` reads from it. XFS and Btrfs can tell what would have to wait; ext4 and
 * tmpfs cannot.
 */
export function writeVectorNow (
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number,
  waiting: Waiting = 'never'
): number {
  return addon().writeVectorNow(fd, buffers, offsets, lengths, count, position, waiting === 'allowed')
}

/**
 * Writes on a thread that shares the core of the caller, and waits for it: for half a millisecond at most, whatever the
 * storage does. Returns the bytes written or a negative errno, or where that is not over by then the promise of what
 * `writeVector` resolves to. For writes that are over soon as a rule, as those to the page cache are: with 5 us more
 * than a plain call they take less than on any other thread.
 *
 * There is one such thread for each thread of JavaScript. `-EBUSY`: it still has an earlier write. `-ENOSYS`: there is
 * none, because it could not be started or not be kept on a core. Nothing was done then.
 */
export function writeVectorSoon (
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number
): number | Promise<number> {
  return addon().writeVectorSoon(fd, buffers, offsets, lengths, count, position)
}

/** Changes the space behind a range of a file or a block device. Rejects with a system error, such as `EOPNOTSUPP`. */
export async function fileAllocate (fd: number, mode: AllocateMode, offset: number, length: number): Promise<void> {
  await addon().fileAllocate(fd, mode, offset, length)
}

/** Writes what the kernel caches of a file, and as much of its metadata as reading it back needs (fdatasync). */
export async function syncFileData (fd: number): Promise<void> {
  await addon().syncFileData(fd)
}

/**
 * Locks a whole file against other openers that ask, in this process too. Returns false when it is locked already. The
 * lock goes with the last descriptor of this open file. Throws a system error: `EBADF` when the descriptor does not
 * allow writing, for an exclusive lock, or reading, for a shared one.
 */
export function lockFile (fd: number, kind: 'exclusive' | 'shared'): boolean {
  return addon().lockFile(fd, kind === 'exclusive')
}

/** The size of a block device in bytes. Throws a system error `ENOTTY` for anything else. */
export function blockDeviceSize (fd: number): number {
  return addon().blockDeviceSize(fd)
}
