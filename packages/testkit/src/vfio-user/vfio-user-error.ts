import { commandName } from './protocol.js'

const names: Readonly<Record<number, string>> = {
  0: 'no errno',
  1: 'EPERM',
  2: 'ENOENT',
  5: 'EIO',
  7: 'E2BIG',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  22: 'EINVAL',
  28: 'ENOSPC',
  38: 'ENOSYS',
  95: 'EOPNOTSUPP',
  110: 'ETIMEDOUT'
}

/** The server answered a command with an error reply. */
export class VfioUserError extends Error {
  /** The number of the command that failed. */
  readonly command: number
  /** The errno of the reply. It may be 0: the field is optional. */
  readonly errno: number
  /** The name of the errno as in errno.h: 'EINVAL'. */
  readonly code: string

  constructor (command: number, errno: number) {
    const code = names[errno] ?? `errno ${errno}`
    super(`The server answered ${commandName(command)} with ${code}.`)
    this.name = 'VfioUserError'
    this.command = command
    this.errno = errno
    this.code = code
  }
}

/** The connection ended, broke the protocol, or did not answer in time. Pending requests reject with it. */
export class ConnectionError extends Error {
  /** Why: the peer closed, this side closed, the stream makes no sense, or nothing came in time. */
  readonly reason: 'ended' | 'closed' | 'protocol' | 'timeout' | 'io'

  constructor (reason: ConnectionError['reason'], message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.name = 'ConnectionError'
    this.reason = reason
  }
}
