import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UnixListener, UnixSocket } from '../src/index.js'
import { addonPath, runWithAddon } from './addon-process.js'
import { openDescriptorCount } from './open-descriptors.js'

describe('UnixListener', () => {
  let folder: string
  let path: string
  let umask: number
  let descriptorsBefore: number

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
    path = join(folder, 'device.sock')
    umask = process.umask()
    descriptorsBefore = openDescriptorCount()
  })

  afterEach(() => {
    process.umask(umask)
    expect(openDescriptorCount()).toBeLessThanOrEqual(descriptorsBefore)
    rmSync(folder, { recursive: true })
  })

  it('accepts a connection that works in both directions', () => {
    const listener = UnixListener.listen(path)
    const client = UnixSocket.connect(path)
    const server = listener.accept() as UnixSocket
    expect(client.send(Uint8Array.of(1), 0, 1)).toBe(1)
    expect(server.receive(new Uint8Array(1), 0, 1)).toBe(1)
    expect(server.send(Uint8Array.of(1), 0, 1)).toBe(1)
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(1)
    for (const each of [client, server, listener]) each.close()
  })

  it('has nothing to accept when nobody connected', () => {
    const listener = UnixListener.listen(path)
    expect(listener.accept()).toBeUndefined()
    listener.close()
  })

  it('calls back when a connection waits', async () => {
    const listener = UnixListener.listen(path)
    const accepted = new Promise<UnixSocket | undefined>(resolve => {
      listener.onReadable(() => {
        listener.onReadable(undefined)
        resolve(listener.accept())
      })
    })
    const client = UnixSocket.connect(path)
    const server = await accepted
    expect(server).toBeInstanceOf(UnixSocket)
    for (const each of [client, server, listener]) each?.close()
  })

  it.each([[0o600, 0o000], [0o660, 0o077], [0o777, 0o022]])('gives the file mode %o under umask %o', (mode, mask) => {
    process.umask(mask)
    const listener = UnixListener.listen(path, { mode })
    expect(statSync(path).mode & 0o777).toBe(mode)
    listener.close()
  })

  it('makes the file private unless told otherwise', () => {
    const listener = UnixListener.listen(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    listener.close()
  })

  it('leaves no other file in the folder, and removes its own when it closes', () => {
    const listener = UnixListener.listen(path)
    expect(readdirSync(folder)).toEqual(['device.sock'])
    listener.close()
    listener.close()
    expect(readdirSync(folder)).toEqual([])
  })

  it('shows its file only once it accepts connections', async () => {
    const end = await runWithAddon(`
      const { Worker } = require('node:worker_threads')
      const folder = ${JSON.stringify(folder)}
      const worker = new Worker(\`
        const { workerData, parentPort } = require('node:worker_threads')
        const fs = require('node:fs')
        const native = require(workerData.addon)
        parentPort.postMessage('ready')
        for (let round = 0; round < 200; round += 1) {
          const path = workerData.folder + '/' + round
          while (!fs.existsSync(path));
          native.closeDescriptor(native.connectSocket(path))
        }
      \`, { eval: true, workerData: { folder, addon: ${JSON.stringify(addonPath)} } })
      const listeners = []
      worker.on('error', error => console.log(error.code))
      worker.on('message', () => {
        for (let round = 0; round < 200; round += 1) {
          listeners.push(new native.Listener(folder + '/' + round, 0o600, 4, false))
        }
      })
      worker.on('exit', code => {
        console.log(code)
        for (const listener of listeners) listener.close()
      })
    `)
    expect(end.output).toBe('0\n')
  })

  it('refuses a name that is taken, and touches neither the file nor the folder', () => {
    writeFileSync(path, 'precious')
    expect(() => UnixListener.listen(path)).toThrow(expect.objectContaining({ code: 'EADDRINUSE', path }))
    expect(readdirSync(folder)).toEqual(['device.sock'])
    expect(statSync(path).size).toBe(8)
  })

  it('takes the place of a file when told to', () => {
    writeFileSync(path, '')
    const listener = UnixListener.listen(path, { replace: true })
    expect(statSync(path).isSocket()).toBe(true)
    listener.close()
  })

  it('leaves the file of another that took its place', () => {
    const first = UnixListener.listen(path)
    const second = UnixListener.listen(path, { replace: true })
    first.close()
    expect(existsSync(path)).toBe(true)
    second.close()
    expect(existsSync(path)).toBe(false)
  })

  it('works in a folder whose name is longer than an address', () => {
    const deep = join(folder, 'a'.repeat(100), 'b'.repeat(100))
    mkdirSync(deep, { recursive: true })
    const far = join(deep, 'device.sock')
    const listener = UnixListener.listen(far)
    const client = UnixSocket.connect(far)
    const server = listener.accept()
    expect(server).toBeInstanceOf(UnixSocket)
    for (const each of [client, server, listener]) each?.close()
  })

  it('refuses a name that no client could give', () => {
    const long = join(folder, 'n'.repeat(200))
    expect(() => UnixListener.listen(long)).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }))
    expect(readdirSync(folder)).toEqual([])
  })

  it.each([
    ['a folder that is not there', 'missing/device.sock', 'ENOENT'],
    ['a path that ends in a slash', 'device.sock/', 'EINVAL'],
    ['an empty path', '', 'EINVAL']
  ])('refuses %s', (_name, name, code) => {
    const bad = name === '' ? '' : join(folder, name)
    expect(() => UnixListener.listen(bad)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses wrong options', () => {
    expect(() => UnixListener.listen(path, { mode: 0o10000 })).toThrow(RangeError)
    expect(() => UnixListener.listen(path, { backlog: -1 })).toThrow(RangeError)
    expect(() => UnixListener.listen('a\0b')).toThrow(TypeError)
    expect(() => UnixListener.listen(5 as never)).toThrow(TypeError)
  })

  describe('as a client finds it', () => {
    it('is refused where nobody listens any more', async () => {
      // A process that ends without closing leaves its file behind.
      await runWithAddon(`
        const kept = new native.Listener(${JSON.stringify(path)}, 0o600, 4, false)
        process.kill(process.pid, 'SIGKILL')
      `)
      expect(() => UnixSocket.connect(path)).toThrow(expect.objectContaining({ code: 'ECONNREFUSED', path }))
    })

    it('is missing where there is no file', () => {
      expect(() => UnixSocket.connect(path)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
    })

    it('is busy where too many wait', () => {
      const listener = UnixListener.listen(path, { backlog: 0 })
      const first = UnixSocket.connect(path)
      expect(() => UnixSocket.connect(path)).toThrow(expect.objectContaining({ code: 'EAGAIN' }))
      first.close()
      listener.close()
    })

    it('is reached through a symbolic link', () => {
      const listener = UnixListener.listen(path)
      symlinkSync(path, join(folder, 'link.sock'))
      UnixSocket.connect(join(folder, 'link.sock')).close()
      listener.close()
    })
  })

  it('removes its file when the process ends without closing it', async () => {
    const end = await runWithAddon(`globalThis.kept = new native.Listener(${JSON.stringify(path)}, 0o600, 4, false)`)
    expect(end.code).toBe(0)
    expect(existsSync(path)).toBe(false)
  })
})
