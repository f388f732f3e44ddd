import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost, loadPlugin } from '@pcikit/core/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installPackage, PLUGIN_SOURCE, pluginSource } from './installed-package.js'

describe('loadPlugin', () => {
  let app: string
  beforeEach(async () => {
    app = await mkdtemp(join(tmpdir(), 'pcikit-app-'))
  })
  afterEach(() => rm(app, { recursive: true }))

  const install = (name: string, source: string, manifest: object = {}): Promise<string> =>
    installPackage(app, name, source, manifest)

  it('finds a package from the application that names it, and notes where', async () => {
    const file = await install('pcikit-device-acme', PLUGIN_SOURCE, { version: '1.2.3' })
    await expect(loadPlugin('pcikit-device-acme', { from: app })).resolves.toMatchObject({
      name: 'acme',
      origin: { file, version: '1.2.3' }
    })
  })

  it('finds a file by its path', async () => {
    await writeFile(join(app, 'mine.mjs'), PLUGIN_SOURCE)
    await expect(loadPlugin('./mine.mjs', { from: app })).resolves.toMatchObject({
      name: 'acme',
      origin: { file: join(app, 'mine.mjs') }
    })
  })

  it.each([
    ['conditions', { types: './index.d.ts', import: './index.js' }],
    ['conditions of its main module', { '.': { import: { types: './index.d.ts', default: './index.js' } } }]
  ])('finds a package that can only be imported, by %s', async (_, exports) => {
    await install('@acme/pcikit-device', PLUGIN_SOURCE, { exports })
    await expect(loadPlugin('@acme/pcikit-device', { from: app })).resolves.toMatchObject({ name: 'acme' })
  })

  it('finds a package by the path of its folder, also one that can only be imported', async () => {
    const file = await install('acme', PLUGIN_SOURCE, { exports: { '.': { import: './index.js' } } })
    await expect(loadPlugin('./node_modules/acme', { from: app })).resolves.toMatchObject({ origin: { file } })
    await expect(loadPlugin(join(app, 'node_modules/acme'), { from: '/' })).resolves.toMatchObject({ origin: { file } })
  })

  it('says that a package is installed and what it exports is not', async () => {
    await install('pcikit-device-raw', PLUGIN_SOURCE, { exports: './dist/index.js' })
    await expect(loadPlugin('pcikit-device-raw', { from: app })).rejects.toMatchObject({
      code: 'PCIKIT_PLUGIN_NOT_FOUND',
      message: expect.stringContaining(join(app, 'node_modules/pcikit-device-raw'))
    })
  })

  it.each([
    [2, /version 2 .* version 1\. The plugin is ahead: update @pcikit\/core/],
    [0, /version 0 .* version 1\. The plugin is behind: install a newer acme/],
    [undefined, /version undefined .* version 1\. The plugin is behind/]
  ])(
    'refuses one that was built for version %s of the plugin API, and says which side is behind',
    async (api, text) => {
      const file = await install('pcikit-device-acme', pluginSource({ api }))
      const error = await loadPlugin('pcikit-device-acme', { from: app }).catch((failure: unknown) => failure)
      expect(error).toMatchObject({
        code: 'PCIKIT_PLUGIN_API_VERSION_MISMATCH',
        message: expect.stringMatching(text),
        details: { plugin: 'acme', expected: 1, actual: api }
      })
      expect((error as Error).message).toContain(file)
    }
  )

  it('makes two plugins of one name tell apart', async () => {
    const one = await install('acme', PLUGIN_SOURCE)
    await writeFile(join(app, 'mine.mjs'), PLUGIN_SOURCE)
    const plugins = await Promise.all(['acme', './mine.mjs'].map(name => loadPlugin(name, { from: app })))
    expect(() => createHost({ plugins })).toThrowError(
      expect.objectContaining({
        code: 'PCIKIT_PLUGIN_DUPLICATE',
        message: expect.stringContaining(`as ${one} and as ${join(app, 'mine.mjs')}`)
      })
    )
  })

  it('says that there is none', async () => {
    await expect(loadPlugin('pcikit-device-none', { from: app }))
      .rejects.toMatchObject({ code: 'PCIKIT_PLUGIN_NOT_FOUND', details: { specifier: 'pcikit-device-none' } })
  })

  it('says that what it found is no plugin', async () => {
    await install('left-pad', 'export default 1\n')
    await expect(loadPlugin('left-pad', { from: app })).rejects.toMatchObject({ code: 'PCIKIT_PLUGIN_INVALID' })
  })

  it('says that the plugin throws when it is imported', async () => {
    await install('pcikit-device-bad', "throw new Error('boom')\n")
    await expect(loadPlugin('pcikit-device-bad', { from: app })).rejects.toMatchObject({
      code: 'PCIKIT_PLUGIN_INVALID',
      cause: { message: 'boom' }
    })
  })
})
