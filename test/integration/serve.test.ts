import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pattern } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import type { CommandProcess } from '../command-process.js'
import { startCommand } from './device-process.js'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, until } from './testbed.js'
import type { Guest } from './testbed.js'
import { attachBlkGuest } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const MIB = 1024 * 1024
const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Writes a file of devices into a folder of its own, and returns its path. */
function writeConfig (text: string): { readonly folder: string, readonly file: string } {
  const folder = createFolder(cleanup)
  const file = join(folder, 'serve.yaml')
  writeFileSync(file, text)
  return { folder, file }
}

/** Starts a command and waits until it serves so many devices. */
async function startServing (words: readonly string[], deviceCount: number): Promise<CommandProcess> {
  const command = startCommand(cleanup, words)
  const served = (): number => command.stderr.match(/serving [a-z-]+ on /g)?.length ?? 0
  await until(() => !command.isRunning || served() === deviceCount)
  expect(command.isRunning, command.stderr).toBe(true)
  return command
}

/** Whether a virtio disk reads back what was written. */
async function writeAndReadBlk ({ blk }: BlkGuest, sector: number, seed: number): Promise<boolean> {
  const [queue] = await blk.start({ queues: 2 })
  const bytes = pattern(4096, seed)
  await queue!.writeBytes(sector, bytes)
  return Buffer.compare(await queue!.readBytes(sector, 4096), bytes) === 0
}

/** Whether namespace 1 reads back what was written. */
async function writeAndRead (guest: Guest, lba: number, seed: number): Promise<boolean> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
  const bytes = pattern(BLOCK_BYTES, seed)
  await queue.writeBytes(1, lba, BLOCK_BYTES, bytes)
  return Buffer.compare(await queue.readBytes(1, lba, BLOCK_BYTES, BLOCK_BYTES), bytes) === 0
}

describe('pcikit serve', () => {
  it('serves all devices of a file, with what it says about them, from its own folder', async () => {
    const { folder, file } = writeConfig(`
      backends: { disk: 'file:images/disk.img', scratch: 'memory:2MiB' }
      devices:
        boot: { type: nvme, options: { backends: [disk], serial: BOOT1 } }
        data: { type: virtio-blk, socket: run/data.sock, socketMode: 660, options: { backend: scratch, queues: 4 } }
    `)
    for (const name of ['images', 'run']) mkdirSync(join(folder, name))
    writeFileSync(join(folder, 'images/disk.img'), '')
    truncateSync(join(folder, 'images/disk.img'), MIB)
    await startServing(['serve', file], 2)
    const boot = await attachGuest(cleanup, join(folder, 'boot.sock'), { interrupts: 'msix' })
    const data = await attachBlkGuest(cleanup, join(folder, 'run/data.sock'), { interrupts: 'msix' })
    expect(await Promise.all([writeAndRead(boot, 7, 1), writeAndReadBlk(data, 8, 2)])).toEqual([true, true])
    expect((await boot.driver.admin.identifyController()).sn).toBe('BOOT1')
    expect(await data.blk.config()).toMatchObject({ capacity: 4096, numQueues: 4 })
    expect(statSync(join(folder, 'run/data.sock')).mode & 0o777).toBe(0o660)
    const stored = readFileSync(join(folder, 'images/disk.img')).subarray(7 * BLOCK_BYTES, 8 * BLOCK_BYTES)
    expect(Buffer.compare(stored, pattern(BLOCK_BYTES, 1))).toBe(0)
  })

  it('tells where each serves and how QEMU attaches it, and closes all on a signal', async () => {
    const { folder, file } = writeConfig(`
      devices:
        boot: { type: nvme, options: { backends: ['memory:1MiB'] } }
        data: { type: virtio-blk, options: { backend: 'memory:1MiB' } }
    `)
    const command = await startServing(['serve', file], 2)
    command.signal('SIGINT')
    const { code, stdout } = await command.exit()
    expect(code).toBe(0)
    for (const [name, type] of [['boot', 'nvme'], ['data', 'virtio-blk']]) {
      expect(stdout).toContain(`${name}: ${type} on ${folder}/${name}.sock\n  -device '{"driver":"vfio-user-pci"`)
      expect(existsSync(join(folder, `${name}.sock`))).toBe(false)
    }
    expect(stdout.match(/qemu-system-x86_64 .*\\\n.*share=on \\\n.*boot\.sock.* \\\n.*data\.sock/)).not.toBeNull()
  })

  it('logs and records each device as the file says', async () => {
    const { folder, file } = writeConfig(`
      devices:
        boot: { type: nvme, logLevel: warn, record: boot.jsonl, options: { backends: ['memory:1MiB'] } }
        data: { type: nvme, logLevel: debug, options: { backends: ['memory:1MiB'] } }
    `)
    const command = await startServing(['serve', file, '--record', join(folder, 'all.jsonl')], 2)
    for (const name of ['boot', 'data']) {
      const guest = await attachGuest(cleanup, join(folder, `${name}.sock`))
      await guest.driver.enable()
    }
    const devicesIn = (name: string): string[] => {
      const lines = readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
      return [...new Set(lines.map(line => (JSON.parse(line) as { device: string }).device))]
    }
    await until(() => command.stderr.includes('data: the controller is enabled'))
    expect(command.stderr).not.toContain('boot: the controller is enabled')
    expect([devicesIn('boot.jsonl'), devicesIn('all.jsonl')]).toEqual([['boot'], ['boot', 'data']])
  })

  it('serves none when one does not start, and says which', async () => {
    const { folder, file } = writeConfig([
      'devices:',
      "  boot: { type: nvme, options: { backends: ['memory:1MiB'] } }",
      "  data: { type: nvme, options: { backends: ['file:none.img'] } }"
    ].join('\n'))
    const { code, stdout, stderr } = await startCommand(cleanup, ['serve', file]).exit()
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain(`error: The device data (${file}:3:3) did not start, so none is served.`)
    expect(stderr).toMatch(/cause: The file none\.img does not exist\..*\[PCIKIT_BLOCK_UNAVAILABLE\]/)
    expect(existsSync(join(folder, 'boot.sock'))).toBe(false)
  })

  it('shows what is wrong with a file, and where', async () => {
    const { file } = writeConfig('devices:\n  boot: { type: nvme, options: { quues: 4 } }\n')
    const { code, stdout, stderr } = await startCommand(cleanup, ['serve', file, '--check']).exit()
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`${file}:2:34: unknown option \`quues\` of nvme; did you mean \`queues\`?`)
  })

  it('only checks a file when told to', async () => {
    const { folder, file } = writeConfig('devices: { boot: { type: nvme } }')
    const { code, stdout } = await startCommand(cleanup, ['serve', file, '--check']).exit()
    expect([code, stdout]).toEqual([0, `${file} is right: boot (nvme)\n`])
    expect(existsSync(join(folder, 'boot.sock'))).toBe(false)
  })
})

describe('pcikit run virtio-blk', () => {
  it('serves a disk as its options say, and tells how QEMU attaches it', async () => {
    const path = join(createFolder(cleanup), 'disk.sock')
    const options = ['--backend', 'memory:2MiB', '--queues', '2', '--serial', 'DISK7', '--no-write-cache']
    const command = await startServing(['run', 'virtio-blk', '--socket', path, ...options], 1)
    const guest = await attachBlkGuest(cleanup, path, { interrupts: 'msix' })
    expect(await writeAndReadBlk(guest, 16, 3)).toBe(true)
    expect(await guest.blk.queues[0]!.getId()).toBe('DISK7')
    expect(await guest.blk.config()).toMatchObject({ capacity: 4096, numQueues: 2, writeback: 0 })
    command.signal('SIGTERM')
    const { code, stdout } = await command.exit()
    expect([code, existsSync(path)]).toEqual([0, false])
    expect(stdout).toContain(`-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"${path}"}}'`)
  })

  it('serves a disk that is only read', async () => {
    const path = join(createFolder(cleanup), 'disk.sock')
    await startServing(['run', 'virtio-blk', '--socket', path, '--backend', 'memory:2MiB', '--read-only'], 1)
    const guest = await attachBlkGuest(cleanup, path)
    const [queue] = await guest.blk.start()
    await expect(queue!.writeBytes(0, pattern(512, 1))).rejects.toThrow()
    expect(await queue!.readBytes(0, 512)).toEqual(new Uint8Array(512))
  })
})
