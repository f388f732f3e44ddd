import type { NativeDescriptorWatch } from './binding.js'
import { addon } from './load-addon.js'

/** What a descriptor stands for. `anonymous` are the kernel's own, such as eventfds. */
export type DescriptorType =
  | 'file'
  | 'block'
  | 'character'
  | 'directory'
  | 'fifo'
  | 'socket'
  | 'link'
  | 'anonymous'

/** What a descriptor stands for, how large it is, and how it may be used. */
export interface DescriptorDescription {
  readonly type: DescriptorType
  /** In bytes; 0 for a block device, see `blockDeviceSize`. */
  readonly size: number
  /** Together with `inode` the identity of a file. Rounded where a file system has numbers above 2^53. */
  readonly device: number
  readonly inode: number
  /** The preferred size of a transfer; for a file of huge pages, the size of a page. */
  readonly blockBytes: number
  /** Whether it is a file of a file system that has no disk behind it: tmpfs, ramfs, and memory files. */
  readonly inMemory: boolean
  readonly readable: boolean
  readonly writable: boolean
  readonly nonBlocking: boolean
}

/** Closes a descriptor. Throws a system error `EBADF` when it is not open: closing twice may close somebody else's. */
export function closeDescriptor (fd: number): void {
  addon().closeDescriptor(fd)
}

/** Another descriptor of the same open file, with close-on-exec set. */
export function duplicateDescriptor (fd: number): number {
  return addon().duplicateDescriptor(fd)
}

/** Looks a descriptor up with fstat, fstatfs and F_GETFL. Throws a system error `EBADF`. */
export function describeDescriptor (fd: number): DescriptorDescription {
  return addon().describeDescriptor(fd) as DescriptorDescription
}

/** A running watch of a descriptor. */
export class DescriptorWatch {
  readonly #native: NativeDescriptorWatch

  /** Use `watchDescriptor`. */
  constructor (native: NativeDescriptorWatch) {
    this.#native = native
  }

  /** Lets the watch keep the process running, which is how it starts. */
  ref (): void {
    this.#native.setReferenced(true)
  }

  /** Lets the process end although the watch runs. */
  unref (): void {
    this.#native.setReferenced(false)
  }

  /** Stops. The descriptor stays open. No callback runs afterwards. More calls do nothing. */
  close (): void {
    this.#native.close()
  }
}

/**
 * Calls `callback` while the descriptor has something to read: an eventfd, a pipe, a socket. The descriptor stays the
 * caller's, who closes the watch before it. Throws a system error `EPERM` for what cannot be polled, such as a file.
 */
export function watchDescriptor (fd: number, callback: () => void): DescriptorWatch {
  const { DescriptorWatch: Native } = addon()
  const native = new Native(fd)
  native.onReadable(callback)
  return new DescriptorWatch(native)
}
