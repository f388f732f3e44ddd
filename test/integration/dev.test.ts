import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PciDriver, VfioUserClient } from '@pcikit/testkit'
import type { IrqRecorder } from '@pcikit/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandProcess } from '../command-process.js'
import { root } from '../sources.js'
import { pluginSource } from './dev-plugin.js'
import type { PluginVersion } from './dev-plugin.js'
import { Cleanup, createFolder, until } from './testbed.js'

const WORD = 0
const VERSION = 4
const RAISE = 8
const THROW = 0xc

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

describe('pcikit dev', () => {
  /** A package that finds what the packages of tests find. */
  let folder: string
  let path: string
  let command: CommandProcess
  let client: VfioUserClient
  let irqs: IrqRecorder

  beforeEach(async () => {
    folder = cleanup.add(mkdtempSync(`${root}test/.dev-`), each => rmSync(each, { recursive: true, force: true }))
    path = join(createFolder(cleanup), 'device.sock')
    mkdirSync(join(folder, 'src'))
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'pcikit-device-word', type: 'module', exports: './dist/index.js' })
    )
    write({ version: 1 })
    command = cleanup.add(
      await CommandProcess.serve(['dev', folder, '--socket', path]),
      each => each[Symbol.asyncDispose]()
    )
    client = await attach()
    const pci = new PciDriver(client)
    await pci.enable()
    irqs = cleanup.add(await pci.enableMsix(1), each => each.close())
  })

  async function attach (): Promise<VfioUserClient> {
    return cleanup.add(await VfioUserClient.connect(path), each => each.close())
  }

  /** Writes a version of the source. */
  function write (version: PluginVersion): void {
    writeFileSync(join(folder, 'src/version.ts'), `export const version: number = ${version.version}\n`)
    writeFileSync(join(folder, 'src/index.ts'), pluginSource(version))
  }

  /** Changes the source, and waits until something new is said that fits. */
  async function change (edit: () => void, said: RegExp): Promise<string> {
    const [out, err] = [command.stdout.length, command.stderr.length]
    const read = (): string => command.stdout.slice(out) + command.stderr.slice(err)
    edit()
    await until(() => said.test(read()))
    return read()
  }

  async function read (offset: number): Promise<number> {
    const bytes = await client.readRegion(0, offset, 4)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  }

  async function put (offset: number, value: number): Promise<void> {
    await client.writeRegion(0, offset, new Uint8Array(Uint32Array.of(value).buffer))
  }

  it('goes on with new code where the old was, for the same client', async () => {
    await put(WORD, 42)
    const said = await change(() => write({ version: 2 }), /swapped in .* ms, state carried/)
    expect(said).toMatch(/src\/version\.ts/)
    expect([await read(WORD), await read(VERSION)]).toEqual([42, 2])
    await put(RAISE, 1)
    await irqs.next(0)
    expect(await new PciDriver(client).vendorId()).toBe(0x1234)
  })

  it('goes on with the old code while the new one cannot be used', async () => {
    await put(WORD, 42)
    const broken = await change(
      () => writeFileSync(join(folder, 'src/version.ts'), 'export const ='),
      /does not compile/
    )
    expect(broken).toContain('src/version.ts:1:13')
    await change(() => write({ version: 2, tail: "throw new Error('not today')" }), /not today/)
    expect([await read(WORD), await read(VERSION)]).toEqual([42, 1])
    await change(() => write({ version: 3 }), /state carried/)
    expect([await read(WORD), await read(VERSION)]).toEqual([42, 3])
  })

  it('swaps another function in once the client is gone', async () => {
    await put(WORD, 42)
    const said = await change(() => write({ version: 2, barBytes: 8192 }), /when the device is detached/)
    expect(said).toContain('PCIKIT_SWAP_SHAPE_DIFFERS')
    expect(said).toContain('BAR 0 was 4096 bytes rw and is 8192 bytes rw')
    expect([await read(WORD), await read(VERSION)]).toEqual([42, 1])
    await change(() => client.close(), /device reset: it is another PCI function now/)
    client = await attach()
    expect([await read(WORD), await read(VERSION)]).toEqual([0, 2])
    expect((await client.getRegionInfo(0)).byteLength).toBe(8192)
  })

  it('takes the device off its bus for an error that nobody catches, until there is new code', async () => {
    await put(WORD, 42)
    const said = await change(() => void put(THROW, 1), /nobody catches this/)
    expect(said).toContain('src/index.ts')
    expect(await read(VERSION)).toBe(0xffff_ffff)
    await change(() => write({ version: 2 }), /state carried/)
    expect([await read(WORD), await read(VERSION)]).toEqual([42, 2])
    expect(command.isRunning).toBe(true)
  })

  it('leaves nothing behind', async () => {
    await change(() => write({ version: 2 }), /state carried/)
    const cache = join(folder, 'node_modules/.cache/pcikit-dev')
    expect(readdirSync(cache, { recursive: true })).toHaveLength(2)
    command.signal('SIGTERM')
    expect((await command.exit()).code).toBe(0)
    expect([existsSync(path), existsSync(cache)]).toEqual([false, false])
  })
})

describe('pcikit dev of something that is no plugin', () => {
  it.each([
    { name: 'nothing', words: ['dev', './nowhere', '--socket', 'a.sock'], message: "no plugin './nowhere'" },
    { name: 'no plugin', words: ['dev', '--socket', 'a.sock', '.'], message: 'right behind `dev`' },
    { name: 'a module without one', words: ['dev', `${root}test/sources.ts`], message: 'is not a plugin' }
  ])('$name: one message', async ({ words, message }) => {
    const command = cleanup.add(CommandProcess.start(words), each => each[Symbol.asyncDispose]())
    const { code, stderr } = await command.exit()
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })
})
