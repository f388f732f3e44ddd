import type { Logger } from '@pcikit/core'
import { IoRing, readVector, syncFileData, writeVector } from '@pcikit/native'
import type { FileSpec } from './file-spec.js'
import { unavailable } from './file-storage.js'
import { RING_SLOT_COUNT, RingTransfers } from './ring-transfers.js'
import type { RequestRing } from './ring-transfers.js'
import type { TransferVector } from './transfer-vector.js'

/**
 * How the data of a file is moved when that may take time. Failures reject with system errors; memory that was taken
 * away before the call throws. The vector is read before a call returns.
 */
export interface FileTransfers {
  /** See `BlockBackend.poll`. */
  readonly poll: ((mayWait?: boolean) => boolean) | undefined
  /** Resolves to the bytes read: fewer than asked only at the end of the file. */
  read(vector: TransferVector, position: number): Promise<number>
  write(vector: TransferVector, position: number): Promise<number>
  /** fdatasync. */
  sync(): Promise<void>
  /** Nothing may be in flight. */
  close(): void
}

/** On libuv's thread pool. Its answers come through the event loop alone. */
export class ThreadTransfers implements FileTransfers {
  readonly poll = undefined
  readonly #fd: number

  constructor (fd: number) {
    this.#fd = fd
  }

  read ({ buffers, offsets, lengths, count }: TransferVector, position: number): Promise<number> {
    return readVector(this.#fd, buffers, offsets, lengths, count, position)
  }

  write ({ buffers, offsets, lengths, count }: TransferVector, position: number): Promise<number> {
    return writeVector(this.#fd, buffers, offsets, lengths, count, position)
  }

  sync (): Promise<void> {
    return syncFileData(this.#fd)
  }

  close (): void {
    // The pool is everybody's.
  }
}

/**
 * The transfers that a spec asks for. Throws PCIKIT_BLOCK_UNAVAILABLE for io_uring where there is none. `createRing` is
 * what makes a ring, or throws.
 */
export function openFileTransfers (
  spec: FileSpec,
  fd: number,
  logger: Logger,
  createRing: (slotCount: number) => RequestRing = slotCount => IoRing.create(slotCount)
): FileTransfers {
  const threads = new ThreadTransfers(fd)
  if (spec.io === 'threads') return threads
  try {
    return new RingTransfers(createRing(RING_SLOT_COUNT), fd, threads)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    if (spec.io === 'io_uring') {
      throw unavailable(
        spec,
        `cannot be served with io_uring: ${why}. It needs Linux 5.12, kernel.io_uring_disabled to be 0, and in a ` +
          'container a seccomp profile that allows it. Leave "io=io_uring" out to do without',
        cause
      )
    }
    logger.debug({ path: spec.path, why }, 'There is no io_uring here. Files are served by the thread pool.')
    return threads
  }
}
