import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { discoverPlugins } from '@pcikit/core/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { installPackage, pluginSource } from './installed-package.js'

const MARKED = { keywords: ['pci', 'pcikit-plugin'] }

describe('discoverPlugins', () => {
  let app: string
  beforeEach(async () => {
    app = await mkdtemp(join(tmpdir(), 'pcikit-app-'))
  })
  afterEach(() => rm(app, { recursive: true }))

  const writeManifest = (manifest: object): Promise<void> =>
    writeFile(join(app, 'package.json'), JSON.stringify({ name: 'app', ...manifest }))
  const install = (name: string, manifest: object, source = pluginSource({ name })): Promise<string> =>
    installPackage(app, name, source, manifest)
  const discover = async (from = app) => {
    const { plugins, refusals } = await discoverPlugins({ from })
    return {
      plugins: plugins.map(({ name }) => name),
      refusals: refusals.map(({ name, error }) => [name, error.code])
    }
  }

  it('loads those of the dependencies that say they are plugins, by their names', async () => {
    await writeManifest({
      dependencies: { zed: '1', alpha: '1', left: '1' },
      devDependencies: { dev: '1' },
      optionalDependencies: { absent: '1' }
    })
    await install('zed', { pcikit: {} })
    await install('alpha', MARKED)
    await install('dev', MARKED)
    await install('left', { keywords: ['pad'] })
    expect(await discover()).toEqual({ plugins: ['alpha', 'dev', 'zed'], refusals: [] })
  })

  it('leaves packages alone that are there and that the application does not depend on', async () => {
    await writeManifest({ dependencies: { alpha: '1' } })
    await install('alpha', MARKED)
    await install('transitive', MARKED, "throw new Error('this must not be imported')\n")
    expect(await discover()).toEqual({ plugins: ['alpha'], refusals: [] })
  })

  it('imports nothing that does not say that it is a plugin', async () => {
    await writeManifest({ dependencies: { other: '1' } })
    await install('other', {}, "throw new Error('this must not be imported')\n")
    expect(await discover()).toEqual({ plugins: [], refusals: [] })
  })

  it('looks from inside of the application too', async () => {
    await writeManifest({ dependencies: { alpha: '1' } })
    await install('alpha', MARKED)
    await mkdir(join(app, 'config'))
    expect(await discover(join(app, 'config'))).toEqual({ plugins: ['alpha'], refusals: [] })
  })

  it('names each that cannot be loaded, with the reason, and loads the others', async () => {
    await writeManifest({ dependencies: { alpha: '1', bad: '1', none: '1', old: '1', raw: '1' } })
    await install('alpha', MARKED)
    await install('bad', MARKED, "throw new Error('boom')\n")
    await install('none', MARKED, 'export default 1\n')
    await install('old', MARKED, pluginSource({ api: 0 }))
    await install('raw', { ...MARKED, exports: './dist/index.js' })
    expect(await discover()).toEqual({
      plugins: ['alpha'],
      refusals: [
        ['bad', 'PCIKIT_PLUGIN_INVALID'],
        ['none', 'PCIKIT_PLUGIN_INVALID'],
        ['old', 'PCIKIT_PLUGIN_API_VERSION_MISMATCH'],
        ['raw', 'PCIKIT_PLUGIN_NOT_FOUND']
      ]
    })
  })

  it('names a package whose package.json is broken', async () => {
    await writeManifest({ dependencies: { alpha: '1', torn: '1' } })
    await install('alpha', MARKED)
    await install('torn', MARKED)
    await writeFile(join(app, 'node_modules/torn/package.json'), '{ "name": "to')
    expect(await discover()).toEqual({ plugins: ['alpha'], refusals: [['torn', 'PCIKIT_PLUGIN_NOT_FOUND']] })
  })

  it('says that there is no application', async () => {
    await expect(discover()).rejects.toMatchObject({ code: 'PCIKIT_PLUGIN_NOT_FOUND', details: { from: app } })
  })

  it('says that the package.json of the application is broken', async () => {
    await writeFile(join(app, 'package.json'), '{')
    await expect(discover()).rejects.toMatchObject({ code: 'PCIKIT_PLUGIN_NOT_FOUND', cause: expect.any(SyntaxError) })
  })
})
