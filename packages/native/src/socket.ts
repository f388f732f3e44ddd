import { constants } from 'node:os'
import type { NativeListener, NativeSocket } from './binding.js'
import { addon } from './load-addon.js'
import { systemError } from './system-error.js'

/** Most descriptors that one message carries: SCM_MAX_FD of the kernel. */
export const DESCRIPTORS_PER_MESSAGE_MAX = 253

/** What `receive`, `send` and their like return when they would have to wait: `-EAGAIN`. */
export const WOULD_BLOCK: number = -constants.errno.EAGAIN

const ReceivedSlot = { COUNT: 0, TRUNCATED: 1, FIRST: 2 } as const
const ShutdownDirection = { read: 0, write: 1, both: 2 } as const

/** How a socket file is made. */
export interface ListenOptions {
  /** Permission bits of the file; 0o600 when not given. The file never has wider ones, not even at first. */
  readonly mode?: number
  /** How many connections may wait to be accepted; 16 when not given. */
  readonly backlog?: number
  /** Takes the place of a file of that name. Otherwise such a file is an error with the code `EADDRINUSE`. */
  readonly replace?: boolean
}

/**
 * A listening UNIX stream socket.
 *
 * Its file appears under `path` only once it accepts connections, with its mode, because it is bound under another
 * name in the same folder and renamed. It disappears on `close`, unless it has become another file since. The folder
 * part of `path` may be longer than an address of the kernel (107 bytes).
 */
export class UnixListener {
  readonly path: string
  readonly #native: NativeListener

  private constructor (path: string, native: NativeListener) {
    this.path = path
    this.#native = native
  }

  /** Starts listening. Throws a system error: `EADDRINUSE`, `EACCES`, `ENOENT`, `ENAMETOOLONG` and so on. */
  static listen (path: string, options: ListenOptions = {}): UnixListener {
    const { mode = 0o600, backlog = 16, replace = false } = options
    const { Listener } = addon()
    return new UnixListener(path, new Listener(path, mode, backlog, replace))
  }

  /** The next waiting connection, or `undefined`. Throws a system error, such as `EMFILE`. */
  accept (): UnixSocket | undefined {
    const fd = this.#native.accept()
    if (fd >= 0) return UnixSocket.fromDescriptor(fd)
    if (fd === WOULD_BLOCK) return undefined
    throw systemError(fd, 'accept4')
  }

  /** Calls `callback` whenever a connection waits, until it is replaced by another or by `undefined`. */
  onReadable (callback: (() => void) | undefined): void {
    this.#native.onReadable(callback)
  }

  /** Lets a listener with a callback keep the process running, which is how it starts. */
  ref (): void {
    this.#native.setReferenced(true)
  }

  /** Lets the process end although the listener has a callback. */
  unref (): void {
    this.#native.setReferenced(false)
  }

  /** Removes the file and stops listening. More calls do nothing. */
  close (): void {
    this.#native.close()
  }
}

/**
 * A connected UNIX stream socket that carries file descriptors. Every call returns at once. It owns its descriptor.
 *
 * `receive`, `send` and `sendParts` return a negative errno rather than throw, because they are on the path of every
 * message; wrong arguments throw a TypeError or a RangeError.
 */
export class UnixSocket {
  /** The descriptor, for looking at; -1 once closed. It stays the property of this object. */
  get fd (): number {
    return this.#fd
  }

  readonly #native: NativeSocket
  readonly #received: Int32Array
  #fd: number

  private constructor (fd: number, native: NativeSocket) {
    this.#fd = fd
    this.#native = native
    this.#received = native.received
  }

  /**
   * Connects to a listening socket. Throws a system error: `ENOENT` where there is no file, `ECONNREFUSED` where nobody
   * listens any more, `EAGAIN` where somebody does, and too many connections wait already.
   */
  static connect (path: string): UnixSocket {
    return UnixSocket.fromDescriptor(addon().connectSocket(path))
  }

  /** Two sockets connected to each other. */
  static pair (): [UnixSocket, UnixSocket] {
    const [first, second] = addon().socketPair()
    return [UnixSocket.fromDescriptor(first), UnixSocket.fromDescriptor(second)]
  }

  /**
   * Takes over a descriptor, such as one received over another socket. Throws a system error and leaves the descriptor
   * to the caller when it is not a UNIX stream socket (`ENOTSOCK`, `EPROTOTYPE`, `EBADF`).
   */
  static fromDescriptor (fd: number): UnixSocket {
    const { Socket } = addon()
    return new UnixSocket(fd, new Socket(fd))
  }

  /** How many descriptors came with the last `receive`. */
  get receivedFdCount (): number {
    return this.#received[ReceivedSlot.COUNT] ?? 0
  }

  /**
   * Whether descriptors sent with the bytes of the last `receive` were lost, because this process may not open as many.
   * Those that did arrive were received as always.
   */
  get receivedTruncated (): boolean {
    return this.#received[ReceivedSlot.TRUNCATED] !== 0
  }

  /**
   * Receives up to `length` bytes into `target` at `offset`. Returns how many, 0 at the end of the stream, or a
   * negative errno (`WOULD_BLOCK` when none are there).
   *
   * Descriptors that came along are appended to `descriptors` and belong to the caller from then on; without a list
   * they are closed. They have close-on-exec set. The kernel never returns bytes of two messages with descriptors in
   * one call: they belong to the message that the returned bytes begin or end.
   */
  receive (target: Uint8Array, offset: number, length: number, descriptors?: number[]): number {
    const result = this.#native.receive(target, offset, length)
    const received = this.#received
    if (received[ReceivedSlot.COUNT] !== 0) this.#handOver(received, descriptors)
    return result
  }

  #handOver (received: Int32Array, descriptors: number[] | undefined): void {
    const end = ReceivedSlot.FIRST + this.receivedFdCount
    for (let slot = ReceivedSlot.FIRST as number; slot < end; slot += 1) {
      const fd = received[slot] as number
      if (descriptors === undefined) addon().closeDescriptor(fd)
      else descriptors.push(fd)
    }
  }

  /**
   * Sends up to `length` bytes of `source` from `offset`. Returns how many, which may be fewer, or a negative errno.
   *
   * `descriptors` (at most 253) go with the first byte: when the result is positive they were sent, and must not be
   * given again with the rest. They stay open here. With descriptors, `length` must not be 0.
   */
  send (source: Uint8Array, offset: number, length: number, descriptors?: readonly number[]): number {
    return this.#native.send(source, offset, length, descriptors)
  }

  /** `send` for a header and a payload, as one message, without joining them. The result counts the bytes of both. */
  sendParts (
    header: Uint8Array,
    headerOffset: number,
    headerLength: number,
    payload: Uint8Array,
    payloadOffset: number,
    payloadLength: number,
    descriptors?: readonly number[]
  ): number {
    return this.#native.sendParts(
      header,
      headerOffset,
      headerLength,
      payload,
      payloadOffset,
      payloadLength,
      descriptors
    )
  }

  /**
   * Calls `callback` while there is something to receive, the end of the stream and errors included, until it is
   * replaced by another or by `undefined`. What it throws becomes an uncaught exception.
   */
  onReadable (callback: (() => void) | undefined): void {
    this.#native.onReadable(callback)
  }

  /** Calls `callback` while there is room to send, until it is replaced by another or by `undefined`. */
  onWritable (callback: (() => void) | undefined): void {
    this.#native.onWritable(callback)
  }

  /** Lets a socket with a callback keep the process running, which is how it starts. */
  ref (): void {
    this.#native.setReferenced(true)
  }

  /** Lets the process end although the socket has a callback. */
  unref (): void {
    this.#native.setReferenced(false)
  }

  /** Ends the stream in one direction or both, and keeps the descriptor. */
  shutdown (direction: 'read' | 'write' | 'both' = 'both'): void {
    this.#native.shutdown(ShutdownDirection[direction])
  }

  /** Closes the descriptor. No callback runs afterwards. More calls do nothing. */
  close (): void {
    this.#native.close()
    this.#fd = -1
  }
}
