import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { PcikitError } from '@pcikit/core'
import type { Logger } from '@pcikit/core'
import { AllocateMode, blockDeviceSize, describeDescriptor, fileAllocate, lockFile } from '@pcikit/native'
import type { FileSpec } from './file-spec.js'

/** An open and locked file or block device. */
export interface FileStorage {
  readonly handle: FileHandle
  readonly isBlockDevice: boolean
  /** When it was opened. */
  readonly byteLength: number
  /** Whether there is no disk that a transfer could wait for. */
  readonly inMemory: boolean
  /** Whether holes can be made in it, so that what is discarded takes no space. */
  readonly canPunchHoles: boolean
}

/** Opens and locks what a spec names. Rejects with PCIKIT_BLOCK_UNAVAILABLE or PCIKIT_BLOCK_LOCKED. */
export async function openFileStorage (spec: FileSpec, logger: Logger): Promise<FileStorage> {
  const handle = await openHandle(spec)
  try {
    lock(spec, handle.fd, logger)
    const { type, size, inMemory } = describeDescriptor(handle.fd)
    if (type !== 'file' && type !== 'block') {
      throw unavailable(spec, 'is neither a regular file nor a block device')
    }
    const isBlockDevice = type === 'block'
    const byteLength = isBlockDevice ? blockDeviceSize(handle.fd) : size
    const canPunchHoles = !spec.readOnly &&
      (isBlockDevice ? await canDeviceZero(handle) : await canFilePunch(handle.fd, size))
    return { handle, isBlockDevice, byteLength, inMemory, canPunchHoles }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The size that it has now. A file is asked for on another thread: a server that is away would keep this one. */
export async function currentByteLength ({ handle, isBlockDevice }: FileStorage): Promise<number> {
  return isBlockDevice ? blockDeviceSize(handle.fd) : (await handle.stat()).size
}

/** The error for a file that cannot be used: `The file disk.img is empty. Do this.` */
export function unavailable (spec: FileSpec, why: string, cause?: unknown): PcikitError {
  return new PcikitError('PCIKIT_BLOCK_UNAVAILABLE', `The file ${spec.path} ${why}.`, {
    cause,
    details: { path: spec.path }
  })
}

async function openHandle (spec: FileSpec): Promise<FileHandle> {
  // O_NONBLOCK: opening a FIFO must not wait for a peer. It means nothing for files.
  const flags = (spec.readOnly ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK
  try {
    return await open(spec.path, flags)
  } catch (cause) {
    throw unavailable(spec, reasonOf(cause, spec), cause)
  }
}

function reasonOf (cause: unknown, spec: FileSpec): string {
  const code = (cause as NodeJS.ErrnoException).code
  switch (code) {
    case 'ENOENT':
      return `does not exist. Create it, for example with "truncate -s 1G ${spec.path}"`
    case 'EACCES':
    case 'EPERM':
      return `may not be opened for ${spec.readOnly ? 'reading' : 'writing'} by this user. ` +
        (spec.readOnly ? 'Change its mode or owner' : 'Change its mode or owner, or add ",readonly" to only read it')
    case 'EROFS':
      return 'is on a file system that is mounted read-only. Add ",readonly" to only read it'
    case 'EISDIR':
      return 'is a directory, and neither a regular file nor a block device'
    case 'ETXTBSY':
    case 'EBUSY':
      return 'is in use by the system. Is it mounted?'
    default:
      return `could not be opened: ${cause instanceof Error ? cause.message : String(cause)}`
  }
}

/**
 * Two writers of one disk destroy its file system, so a writer wants the file alone; readers share it. The lock covers
 * the whole file, so QEMU, which locks single bytes of its images, is kept out too, and keeps us out.
 */
function lock (spec: FileSpec, fd: number, logger: Logger): void {
  let isLocked = false
  try {
    isLocked = lockFile(fd, spec.readOnly ? 'shared' : 'exclusive')
  } catch (error) {
    // Some network file systems have no locks. Not to serve from them at all would help nobody.
    logger.warn({ path: spec.path, error }, 'The file cannot be locked here. Make sure that nobody else writes to it.')
    return
  }
  if (isLocked) return
  throw new PcikitError(
    'PCIKIT_BLOCK_LOCKED',
    `The file ${spec.path} is in use by another process or another device. ` +
      (spec.readOnly ? 'Stop whoever writes to it.' : 'Stop the other user, or open it with ",readonly" in both.'),
    { details: { path: spec.path } }
  )
}

/** Tries it where there is nothing: past the end of the file. */
async function canFilePunch (fd: number, size: number): Promise<boolean> {
  try {
    await fileAllocate(fd, AllocateMode.PUNCH_HOLE, size, 4096)
    return true
  } catch {
    return false
  }
}

/** Asks the kernel whether the device zeroes blocks by itself. A partition has the queue of its disk. */
async function canDeviceZero (handle: FileHandle): Promise<boolean> {
  const { rdev } = await handle.stat()
  const major = ((rdev >>> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff)
  const minor = (rdev & 0xff) | ((rdev >>> 12) & ~0xff)
  const device = `/sys/dev/block/${major}:${minor}`
  for (const queue of [`${device}/queue`, `${device}/../queue`]) {
    const limit = await readFile(`${queue}/write_zeroes_max_bytes`, 'utf8').catch(() => undefined)
    if (limit !== undefined) return Number(limit) > 0
  }
  return false
}
