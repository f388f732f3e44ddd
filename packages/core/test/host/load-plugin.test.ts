import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadPlugin } from '@pcikit/core/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MANIFEST = "export default { name: 'acme', api: 1, contributes: [], [Symbol.for('@pcikit/plugin')]: true }\n"

describe('loadPlugin', () => {
  let app: string
  beforeEach(async () => {
    app = await mkdtemp(join(tmpdir(), 'pcikit-app-'))
  })
  afterEach(() => rm(app, { recursive: true }))

  const install = async (name: string, source: string): Promise<void> => {
    const folder = join(app, 'node_modules', name)
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name, type: 'module', exports: './index.js' }))
    await writeFile(join(folder, 'index.js'), source)
  }

  it('finds a package from the application that names it', async () => {
    await install('pcikit-device-acme', MANIFEST)
    await expect(loadPlugin('pcikit-device-acme', { from: app })).resolves.toMatchObject({ name: 'acme' })
  })

  it('finds a file by its path', async () => {
    await writeFile(join(app, 'mine.mjs'), MANIFEST)
    await expect(loadPlugin('./mine.mjs', { from: app })).resolves.toMatchObject({ name: 'acme' })
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
