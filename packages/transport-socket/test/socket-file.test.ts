import { isPcikitError } from '@pcikit/core'
import { UnixListener, UnixSocket } from '@pcikit/native'
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listenAt } from '../src/socket-file.js'

describe('listenAt', () => {
  let folder: string
  let path: string
  let listener: UnixListener | undefined

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
    path = join(folder, 'device.sock')
  })

  afterEach(() => {
    listener?.close()
    listener = undefined
    rmSync(folder, { recursive: true })
  })

  /** A socket file whose process is gone. */
  const leaveStaleSocket = (): void => {
    const program = `require('node:net').createServer().listen(${
      JSON.stringify(path)
    }, () => process.kill(process.pid, 9))`
    spawnSync(process.execPath, ['-e', program])
    expect(lstatSync(path).isSocket()).toBe(true)
  }

  const codeOf = (path: string): unknown => {
    try {
      listenAt(path, 0o600).close()
      return 'no error'
    } catch (error) {
      return isPcikitError(error) ? error.code : error
    }
  }

  it.each([[0o600], [0o660], [0o777]])('makes a socket of the mode %i, whatever the umask', mode => {
    listener = listenAt(path, mode)

    expect(statSync(path).mode & 0o777).toBe(mode)
    expect(readdirSync(folder)).toEqual(['device.sock'])
    UnixSocket.connect(path).close()
  })

  it('removes the file when it closes', () => {
    listenAt(path, 0o600).close()

    expect(readdirSync(folder)).toEqual([])
  })

  it('leaves a file alone that took the place of its own', () => {
    listener = listenAt(path, 0o600)
    unlinkSync(path)
    writeFileSync(path, 'something else')

    listener.close()

    expect(readdirSync(folder)).toEqual(['device.sock'])
  })

  it('replaces a socket that nobody listens on any more', () => {
    leaveStaleSocket()

    listener = listenAt(path, 0o600)

    UnixSocket.connect(path).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('refuses a socket that somebody listens on, and leaves it alone', () => {
    listener = listenAt(path, 0o600)
    const { ino } = statSync(path)

    expect(codeOf(path)).toBe('PCIKIT_SOCKET_IN_USE')
    expect(statSync(path).ino).toBe(ino)
    UnixSocket.connect(path).close()
  })

  it('refuses a socket whose owner is too busy to accept', () => {
    listener = UnixListener.listen(path, { backlog: 0 })
    const waiting = [UnixSocket.connect(path)]

    expect(codeOf(path)).toBe('PCIKIT_SOCKET_IN_USE')
    waiting.forEach(socket => socket.close())
  })

  it('refuses a file that is not a socket, and leaves it alone', () => {
    writeFileSync(path, 'precious')

    expect(codeOf(path)).toBe('PCIKIT_SOCKET_UNAVAILABLE')
    expect(statSync(path).size).toBe(8)
  })

  it.each([
    ['a folder that is not there', () => join(folder, 'missing', 'device.sock'), /ENOENT.*Create the folder/],
    ['a name that is too long', () => join(folder, 'x'.repeat(120)), /ENAMETOOLONG.*107/],
    ['a file in place of a folder', () => join(path, 'device.sock'), /ENOTDIR/]
  ])('says what to do about %s', (_what, target, says) => {
    writeFileSync(path, '')
    expect(() => listenAt(target(), 0o600)).toThrow(says)
    expect(codeOf(target())).toBe('PCIKIT_SOCKET_UNAVAILABLE')
  })
})
