import type { UnixSocket } from '@pcikit/native'

/** What a session needs of its connection: a UnixSocket, or something else that carries bytes and descriptors alike. */
export type StreamSocket = Pick<UnixSocket, 'receive' | 'send' | 'onReadable' | 'onWritable' | 'close'>

/** Where connections come from: a UnixListener, or something else that is told of them as one. */
export interface StreamListener {
  /** The next connection that waits, or undefined. */
  accept(): StreamSocket | undefined
  /** Calls `callback` whenever a connection waits, until it is replaced by another or by undefined. */
  onReadable(callback: (() => void) | undefined): void
  /** Lets nobody in any more. */
  close(): void
}
