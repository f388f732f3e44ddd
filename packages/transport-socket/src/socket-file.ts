import { PcikitError } from '@pcikit/core'
import { UnixListener, UnixSocket } from '@pcikit/native'
import { lstatSync } from 'node:fs'

/** What is at the path of a socket before we listen there. */
type Occupant = 'nothing' | 'stale socket' | 'live socket' | 'other file'

/**
 * Listens at a path. The file appears when it accepts connections, with its mode. A socket file that nobody listens on
 * any more is replaced.
 *
 * Throws PcikitError PCIKIT_SOCKET_IN_USE where somebody listens, and PCIKIT_SOCKET_UNAVAILABLE where another file is
 * at the path or the system refuses.
 */
export function listenAt (path: string, mode: number): UnixListener {
  try {
    const occupant = findOccupant(path)
    if (occupant === 'live socket') throw inUse(path)
    if (occupant === 'other file') {
      throw new PcikitError(
        'PCIKIT_SOCKET_UNAVAILABLE',
        `${path} is not a socket, so it is not replaced. Choose another path, or remove the file if it is not needed.`,
        { details: { path } }
      )
    }
    return UnixListener.listen(path, { mode, replace: occupant === 'stale socket' })
  } catch (error) {
    throw describe(path, error)
  }
}

function findOccupant (path: string): Occupant {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return 'nothing'
  if (!status.isSocket()) return 'other file'
  try {
    UnixSocket.connect(path).close()
    return 'live socket'
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED') return 'stale socket'
    if (codeOf(error) === 'ENOENT') return 'nothing'
    // Somebody listens, and has no room for one more in its queue.
    if (codeOf(error) === 'EAGAIN') return 'live socket'
    throw error
  }
}

function describe (path: string, error: unknown): unknown {
  const code = codeOf(error)
  // Somebody was quicker between the look and the call.
  if (code === 'EADDRINUSE') return inUse(path)
  if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) return error
  const remedy = REMEDIES[code] ?? 'Choose another path.'
  return new PcikitError(
    'PCIKIT_SOCKET_UNAVAILABLE',
    `Cannot listen at ${path}: the system says ${code}. ${remedy}`,
    { cause: error, details: { path, code } }
  )
}

const REMEDIES: Readonly<Record<string, string>> = Object.freeze({
  ENOENT: 'Create the folder first.',
  ENOTDIR: 'A part of the path before the last is not a folder.',
  EACCES: 'Choose a folder that this user may write to.',
  EPERM: 'Choose a folder that this user may write to.',
  EROFS: 'Choose a folder that can be written to.',
  ENAMETOOLONG: 'Names of sockets have at most 107 bytes. Choose a shorter one.',
  EMFILE: 'Raise the limit of open files (ulimit -n).'
})

function inUse (path: string): PcikitError {
  return new PcikitError(
    'PCIKIT_SOCKET_IN_USE',
    `Another process serves on ${path}. Stop it, or choose another path.`,
    { details: { path } }
  )
}

function codeOf (error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
