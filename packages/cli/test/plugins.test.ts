import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PLUGIN_API_VERSION } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findPluginChoice, loadPlugins } from '../src/plugins.js'

describe('the choice of plugins', () => {
  it.each([
    [['devices'], { names: [], discovers: false }],
    [['--plugin', 'a', 'run', 'b', '--plugin=./c.js'], { names: ['a', './c.js'], discovers: false }],
    [['devices', '--discover'], { names: [], discovers: true }]
  ])('is found among %j', (words, choice) => {
    expect(findPluginChoice(words)).toEqual(choice)
  })
})

describe('discovered plugins', () => {
  let folder: string
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pcikit-app-')))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const install = (name: string, deviceType: string, api = PLUGIN_API_VERSION): void => {
    const place = join(folder, 'node_modules', name)
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, 'package.json'), JSON.stringify({ name, exports: './index.mjs', pcikit: {} }))
    writeFileSync(
      join(place, 'index.mjs'),
      `export default {
        name: '${name}', api: ${api}, [Symbol.for('@pcikit/plugin')]: true,
        contributes: [{
          point: { id: '@pcikit/core/device', noun: 'device type' },
          value: {
            name: '${deviceType}', summary: 'a device', provider: { useFactory () {} },
            options: { '~standard': { version: 1, vendor: 'test', validate: value => ({ value }) } }
          }
        }]
      }\n`
    )
  }

  it('come after the built-in ones, and those that do not go with them are left out, each with the reason', async () => {
    const names = ['@pcikit/dma', 'acme', 'old', 'rival', 'rogue']
    const dependencies = Object.fromEntries(names.map(name => [name, '1']))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', dependencies }))
    install('@pcikit/dma', 'not-built-in')
    install('acme', 'acme')
    install('old', 'old', 0)
    install('rival', 'acme')
    install('rogue', 'nvme')
    const { plugins, refusals } = await loadPlugins({ names: [], discovers: true }, folder)
    expect(plugins.filter(({ origin }) => origin !== undefined).map(({ name }) => name)).toEqual(['acme'])
    expect(refusals.map(({ name, error }) => [name, error.code, error.details['owners']])).toEqual([
      ['old', 'PCIKIT_PLUGIN_API_VERSION_MISMATCH', undefined],
      ['rival', 'PCIKIT_EXTENSION_DUPLICATE', ['acme', 'rival']],
      ['rogue', 'PCIKIT_EXTENSION_DUPLICATE', ['@pcikit/device-nvme', 'rogue']]
    ])
  })

  it('do not excuse one that was named', async () => {
    install('rogue', 'nvme')
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app' }))
    await expect(loadPlugins({ names: ['rogue'], discovers: true }, folder))
      .rejects.toMatchObject({ code: 'PCIKIT_EXTENSION_DUPLICATE' })
  })
})
