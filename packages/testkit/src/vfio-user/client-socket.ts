import type { UnixSocket } from '@pcikit/native'

/** What a client needs of its connection: a UnixSocket, or something else that carries bytes and descriptors alike. */
export type ClientSocket = Pick<UnixSocket, 'receive' | 'send' | 'onReadable' | 'onWritable' | 'close'>
