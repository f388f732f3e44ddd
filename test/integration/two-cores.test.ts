// A program and a plugin that each have a copy of @pcikit/core of their own, as npm installs them where their versions
// differ. Both copies are what tsc built.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Cleanup, createFolder } from './testbed.js'

const CORE = fileURLToPath(new URL('../../packages/core', import.meta.url))
const OTHERS = ['tsyringe', 'reflect-metadata']

const PLUGIN = `
import { BUS_MASTER, contribute, createToken, definePlugin, DEVICE, DMA_SPACE, Errno, OPTIONS, PcikitError,
  PLUGIN_API_VERSION, ProtocolError, SERVICE } from '@pcikit/core'
import { inject, injectable } from 'tsyringe'

class Clock { now () { return 42 } }
const CLOCK = createToken('acme/clock')

class Device {
  interrupts = { release () {} }
  constructor (options, dma, clock) { Object.assign(this, { options, dma, clock, function: this }) }
  async start () { if (this.options.fails) throw new PcikitError('PCIKIT_BLOCK_LOCKED', 'it is locked') }
  readRegion () { throw new ProtocolError(Errno.EACCES, 'not this one') }
  async close () {}
}
for (const [index, token] of [OPTIONS, DMA_SPACE, CLOCK].entries()) inject(token)(Device, undefined, index)
injectable()(Device)

export const core = definePlugin
export default definePlugin({
  name: 'acme', api: PLUGIN_API_VERSION,
  contributes: [
    contribute(SERVICE, { name: 'clock', summary: 'a clock', token: CLOCK, provider: { useClass: Clock } }),
    contribute(DEVICE, {
      name: 'acme', summary: 'a device', provider: { useClass: Device },
      options: { '~standard': { version: 1, vendor: 'acme', validate: value => ({ value }) } }
    })
  ]
})
`

const PROGRAM = `
import { contribute, definePlugin, DMA_MANAGER, isPcikitError, isProtocolError, PLUGIN_API_VERSION, TRANSPORT }
  from '@pcikit/core'
import { createHost, loadPlugin } from '@pcikit/core/host'

const options = { '~standard': { version: 1, vendor: 'app', validate: value => ({ value }) } }
const found = {}
const dma = { setPort () {}, async unmapAll () {}, async close () {}, setBusMaster () {} }
const transport = { address: 'here', async listen (endpoint) { found.endpoint = endpoint }, async close () {} }
const own = definePlugin({
  name: 'app', api: PLUGIN_API_VERSION,
  contributes: [
    contribute(DMA_MANAGER, { name: 'none', summary: '', options, provider: { useFactory: () => dma } }),
    contribute(TRANSPORT, { name: 'none', summary: '', options, provider: { useFactory: () => transport } })
  ]
})
const answer = {}
try {
  const acme = await loadPlugin('acme', { from: import.meta.dirname ?? process.cwd() })
  answer.areTwo = (await import('acme')).core !== definePlugin
  const host = createHost({ plugins: [own, acme] })
  const create = options => host.createDevice({ type: 'acme', options, transport: { type: 'none' } })
  await create({})
  const { function: device } = found.endpoint
  try { device.readRegion(0, 0, new DataView(new ArrayBuffer(4)), 0, 4) }
  catch (error) { answer.refusal = isProtocolError(error) && error.errno }
  await create({ fails: true }).catch(error => { answer.failure = isPcikitError(error, 'PCIKIT_BLOCK_LOCKED') })
  await host.close()
} catch (error) {
  answer.error = { code: error.code, message: error.message }
}
console.log(JSON.stringify(answer))
`

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

describe('two copies of core in one process', () => {
  let app: string
  beforeEach(() => {
    app = realpathSync(createFolder(cleanup))
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', type: 'module' }))
    writeFileSync(join(app, 'program.js'), PROGRAM)
    installCore(app)
    const plugin = join(app, 'node_modules/acme')
    mkdirSync(plugin)
    writeFileSync(
      join(plugin, 'package.json'),
      JSON.stringify({ name: 'acme', type: 'module', exports: './plugin.js' })
    )
    writeFileSync(join(plugin, 'plugin.js'), PLUGIN)
    installCore(plugin)
  })

  const run = async (): Promise<unknown> => {
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], { cwd: app })
    return JSON.parse(stdout)
  }

  it('work together: services, options, refusals and errors', async () => {
    expect(await run()).toEqual({ areTwo: true, refusal: 13, failure: true })
  })

  it('are told apart by the version of the plugin API, and both are named', async () => {
    const file = join(app, 'node_modules/acme/node_modules/@pcikit/core/dist/plugin.js')
    const source = readFileSync(file, 'utf8')
    writeFileSync(file, source.replace('PLUGIN_API_VERSION = 1', 'PLUGIN_API_VERSION = 2'))
    expect(await run()).toEqual({
      error: {
        code: 'PCIKIT_PLUGIN_API_VERSION_MISMATCH',
        message: expect.stringMatching(
          /^acme \(.*plugin\.js\) was built for version 2 of the plugin API, and this @pcikit\/core has version 1\./
        )
      }
    })
  })
})

/** Installs a copy of core in a folder, and what it depends on. */
function installCore (folder: string): void {
  const target = join(folder, 'node_modules/@pcikit/core')
  mkdirSync(target, { recursive: true })
  for (const part of ['package.json', 'dist']) cpSync(join(CORE, part), join(target, part), { recursive: true })
  for (const name of OTHERS) {
    symlinkSync(realpathSync(join(CORE, 'node_modules', name)), join(folder, 'node_modules', name))
  }
}
