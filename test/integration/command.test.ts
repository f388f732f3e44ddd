import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UnixListener } from '@pcikit/native'
import { DiskVerifier, pattern } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { serveCommand, startCommand } from './device-process.js'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, guestMemoryUses, openDescriptors, until } from './testbed.js'
import type { Guest } from './testbed.js'

const MIB = 1024 * 1024
const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function createQueue (guest: Guest): Promise<IoQueue> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  return guest.driver.createQueuePair({ id: 1, depth: 64, vector: 1 })
}

function createDisk (folder: string): string {
  const file = join(folder, 'disk.img')
  writeFileSync(file, '')
  truncateSync(file, 8 * MIB)
  return file
}

describe('pcikit run nvme', () => {
  it('serves a controller that reads back what was written', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    await serveCommand(cleanup, path, ['--backend', 'memory:64MiB', '--serial', 'ABC123'])
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', doorbells: 'posted' })
    const queue = await createQueue(guest)
    const { memory } = guest
    const disk = new DiskVerifier({
      memory,
      nsid: 1,
      blockBytes: BLOCK_BYTES,
      blockCount: 4096,
      transferBlocksMax: 64,
      seed: 64
    })
    await disk.run([queue], { depth: 32, commands: 500 })
    await disk.check(queue)
    expect((await guest.driver.admin.identifyController()).sn).toBe('ABC123')
    expect((await guest.driver.admin.identifyNamespace(1)).nsze).toBe(64 * MIB / BLOCK_BYTES)
  })

  it('streams what happened to memory, prints it for SIGUSR2, and explains an address', async () => {
    const folder = createFolder(cleanup)
    const path = join(folder, 'nvme.sock')
    const record = join(folder, 'record.jsonl')
    const command = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB', '--record', record])
    const guest = await attachGuest(cleanup, path)
    await guest.driver.enable()
    command.signal('SIGUSR2')
    await until(() => command.stderr.includes('bus mastering on'))
    expect(command.stderr).toMatch(/map {6}\[0x100000, 0x1100000\) READ_WRITE file offset/)
    guest.leave()
    await until(() => readFileSync(record, 'utf8').includes('"connected":false'))
    const events = startCommand(cleanup, ['events', record, '--iova', '0x200000'])
    const { code, stdout } = await events.exit()
    expect(code).toBe(0)
    expect(stdout).toMatch(/nvme: 0x200000 is not mapped, #\d+ removed it\./)
  })

  it('serves several namespaces in the order of the command line', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const backends = ['--backend', 'memory:1MiB', '--backend', 'memory:2MiB']
    await serveCommand(cleanup, path, [...backends, '--block-size', '4096'])
    const guest = await attachGuest(cleanup, path)
    await guest.driver.enable()
    const first = await guest.driver.admin.identifyNamespace(1)
    const second = await guest.driver.admin.identifyNamespace(2)
    expect([first.nsze, second.nsze]).toEqual([256, 512])
    expect(first.blockBytes).toBe(4096)
  })

  it('makes a socket for its user alone, or with the mode that it is told', async () => {
    const folder = createFolder(cleanup)
    await serveCommand(cleanup, join(folder, 'private.sock'), ['--backend', 'memory:1MiB'])
    const words = ['--backend', 'memory:1MiB', '--socket-mode', '660']
    await serveCommand(cleanup, join(folder, 'shared.sock'), words)
    expect(statSync(join(folder, 'private.sock')).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'shared.sock')).mode & 0o777).toBe(0o660)
  })

  it('tells the line with which QEMU attaches the device', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const command = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    command.signal('SIGTERM')
    const { stdout } = await command.exit()
    expect(stdout).toContain('vfio-user-pci')
    expect(stdout).toContain(path)
  })

  it('keeps the contents of a file over a restart', async () => {
    const folder = createFolder(cleanup)
    const file = createDisk(folder)
    const path = join(folder, 'nvme.sock')
    const first = await serveCommand(cleanup, path, ['--backend', `file:${file}`])
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix' })
    const bytes = pattern(64 * BLOCK_BYTES, 1)
    await (await createQueue(guest)).writeBytes(1, 100, BLOCK_BYTES, bytes)
    guest.leave()
    first.signal('SIGTERM')
    await first.exit()
    await serveCommand(cleanup, path, ['--backend', `file:${file}`])
    const next = await attachGuest(cleanup, path, { interrupts: 'msix' })
    const found = await (await createQueue(next)).readBytes(1, 100, BLOCK_BYTES, bytes.length)
    expect(Buffer.compare(found, bytes)).toBe(0)
    expect(Buffer.compare(readFileSync(file).subarray(100 * BLOCK_BYTES, 164 * BLOCK_BYTES), bytes)).toBe(0)
  })

  it('serves one client after another and keeps nothing of those that went', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const { pid } = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    const before = openDescriptors(pid).length
    for (let round = 0; round < 10; round++) {
      const guest = await attachGuest(cleanup, path, { interrupts: 'msix' })
      await (await createQueue(guest)).flush(1)
      guest.leave()
    }
    await until(() => openDescriptors(pid).length <= before)
    expect(guestMemoryUses(pid)).toEqual({ descriptors: 0, mappings: 0 })
  })
})

describe('SIGTERM', () => {
  it('ends the command with 0, and the socket is gone', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const command = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    command.signal('SIGTERM')
    const { code } = await command.exit()
    expect(code).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  it('ends it with a client attached, whose acknowledged writes are in the file', async () => {
    const folder = createFolder(cleanup)
    const file = createDisk(folder)
    const path = join(folder, 'nvme.sock')
    const command = await serveCommand(cleanup, path, ['--backend', `file:${file}`])
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', doorbells: 'posted' })
    const queue = await createQueue(guest)
    const bytes = pattern(BLOCK_BYTES, 9)
    await queue.writeBytes(1, 7, BLOCK_BYTES, bytes)
    const more = Array.from(
      { length: 32 },
      () => queue.submit({ opcode: 2, nsid: 1, prp1: 0x20_0000, cdw12: 7 }).catch((error: unknown) => error)
    )
    command.signal('SIGTERM')
    const { code } = await command.exit()
    const reason = await guest.client.ended
    guest.leave()
    await Promise.all(more)
    expect(code).toBe(0)
    expect(reason.reason).toBe('ended')
    expect(Buffer.compare(readFileSync(file).subarray(7 * BLOCK_BYTES, 8 * BLOCK_BYTES), bytes)).toBe(0)
    expect(existsSync(path)).toBe(false)
  })

  it('is the same as SIGINT', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const command = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    command.signal('SIGINT')
    expect((await command.exit()).code).toBe(0)
  })
})

describe('the socket file', () => {
  it('of a process that was killed is replaced', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const killed = await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    killed.signal('SIGKILL')
    await killed.exit()
    const stale = existsSync(path)
    const next = startCommand(cleanup, ['run', 'nvme', '--socket', path, '--backend', 'memory:1MiB'])
    const connect = (): Promise<boolean> => attachGuest(cleanup, path).then(() => true, () => false)
    await until(async () => !next.isRunning || await connect())
    expect(stale).toBe(true)
    expect(next.isRunning).toBe(true)
  })

  it('of a live process is left alone', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    await serveCommand(cleanup, path, ['--backend', 'memory:1MiB'])
    const second = startCommand(cleanup, ['run', 'nvme', '--socket', path, '--backend', 'memory:1MiB'])
    const { code, stderr } = await second.exit()
    const guest = await attachGuest(cleanup, path)
    expect(code).toBe(1)
    expect(stderr).toContain('PCIKIT_SOCKET_IN_USE')
    expect(await guest.pci.vendorId()).toBe(0x1234)
  })

  it('that belongs to another program is left alone', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const listener = cleanup.add(UnixListener.listen(path), each => each.close())
    const command = startCommand(cleanup, ['run', 'nvme', '--socket', path, '--backend', 'memory:1MiB'])
    const { code } = await command.exit()
    expect(code).toBe(1)
    expect(statSync(listener.path).isSocket()).toBe(true)
  })

  it('is never put in the place of an ordinary file', async () => {
    const path = join(createFolder(cleanup), 'notes.txt')
    writeFileSync(path, 'important')
    const command = startCommand(cleanup, ['run', 'nvme', '--socket', path, '--backend', 'memory:1MiB'])
    const { code } = await command.exit()
    expect(code).not.toBe(0)
    expect(readFileSync(path, 'utf8')).toBe('important')
  })
})

describe('bad arguments', () => {
  it.each([
    { name: 'an unknown command', words: ['walk'] },
    { name: 'an unknown device', words: ['run', 'toaster', '--socket', '/nowhere/x.sock'] },
    { name: 'no socket', words: ['run', 'nvme'] },
    { name: 'an unknown option', words: ['run', 'nvme', '--socket', '/nowhere/x.sock', '--color', 'red'] },
    { name: 'a block size that cannot be', words: ['run', 'nvme', '--socket', '/nowhere/x.sock', '--block-size', '7'] },
    {
      name: 'a back end that does not exist',
      words: ['run', 'nvme', '--socket', '/nowhere/x.sock', '--backend', 'tape:1']
    },
    { name: 'a size that is none', words: ['run', 'nvme', '--socket', '/nowhere/x.sock', '--backend', 'memory:big'] },
    { name: 'too many queues', words: ['run', 'nvme', '--socket', '/nowhere/x.sock', '--queues', '1000'] }
  ])('$name: one message, and exit status 2', async ({ words }) => {
    const { code, stdout, stderr } = await startCommand(cleanup, words).exit()
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('error')
    expect(stderr).not.toContain('    at ')
  })
})
