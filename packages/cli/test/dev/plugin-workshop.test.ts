import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PluginWorkshop } from '../../src/dev/plugin-workshop.js'
import type { Build } from '../../src/dev/plugin-workshop.js'

/** A plugin without a package of ours: what marks one is a symbol that everybody can have. */
const source = `
import { part } from './part.js'
export default { [Symbol.for('@pcikit/plugin')]: true, name: part, api: 1, contributes: [] }
`

describe('a workshop', () => {
  let folder: string
  let workshop: PluginWorkshop | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pcikit-dev-'))
    mkdirSync(join(folder, 'src'))
    writeFileSync(join(folder, 'package.json'), '{ "name": "plugin", "version": "1.2.3" }')
    writeFileSync(join(folder, 'src/index.ts'), source)
    writePart('one')
  })
  afterEach(async () => {
    await workshop?.[Symbol.asyncDispose]()
    workshop = undefined
    rmSync(folder, { recursive: true })
  })

  function writePart (name: string): void {
    writeFileSync(join(folder, 'src/part.ts'), `export const part: string = '${name}'\n`)
  }

  const open = () => PluginWorkshop.open({ entry: join(folder, 'src/index.ts'), folder })
  const nextBuild = (from: PluginWorkshop): Promise<Build> => new Promise(resolve => from.follow(resolve))

  it('compiles and imports a plugin, which is from its source', async () => {
    workshop = await open()
    expect(workshop.plugin).toMatchObject({
      name: 'one',
      origin: { file: join(folder, 'src/index.ts'), version: '1.2.3' }
    })
  })

  it('does so again when a file of it changes, and keeps no build but the last', async () => {
    workshop = await open()
    const build = nextBuild(workshop)
    writePart('two')
    expect(await build).toMatchObject({ changed: ['src/part.ts'], outcome: { plugin: { name: 'two' } } })
    const cache = join(folder, 'node_modules/.cache/pcikit-dev', String(process.pid))
    expect(readdirSync(cache)).toEqual(['build-2.mjs'])
    await workshop[Symbol.asyncDispose]()
    expect(existsSync(cache)).toBe(false)
  })

  it('says what does not compile, and where', async () => {
    workshop = await open()
    const build = nextBuild(workshop)
    writeFileSync(join(folder, 'src/part.ts'), 'export const part =')
    const { outcome } = await build
    expect('failure' in outcome && outcome.failure.message).toContain('src/part.ts:1:19')
  })

  it('does not open for what cannot be used', async () => {
    writeFileSync(join(folder, 'src/index.ts'), 'export default 1')
    await expect(open()).rejects.toMatchObject({ code: 'PCIKIT_PLUGIN_INVALID' })
    expect(existsSync(join(folder, 'node_modules/.cache/pcikit-dev'))).toBe(false)
  })

  it('ends the compiler when it is closed', async () => {
    const workshop = await open()
    const compilers = childrenNamed('esbuild')
    await workshop[Symbol.asyncDispose]()
    expect(compilers).toHaveLength(1)
    await expect.poll(() => childrenNamed('esbuild'), { timeout: 10_000 }).toEqual([])
  })
})

/** The processes that this one has started and that have not ended. */
function childrenNamed (name: string): readonly string[] {
  const children = readdirSync('/proc/self/task')
    .flatMap(task => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' '))
  return children.filter(pid => {
    const stat = `/proc/${pid}/stat`
    return pid !== '' && existsSync(stat) && new RegExp(`^\\d+ \\(${name}\\) [^Z]`).test(readFileSync(stat, 'utf8'))
  })
}
