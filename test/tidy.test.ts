import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exampleNames, filesBelow, importsOf, packageNames, root, sourcesIn } from './sources.js'

/** What each package may import: of ours by its short name, of others by theirs. See docs/architecture.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'core': ['tsyringe', 'reflect-metadata'],
  'wire': [],
  'native': ['node-gyp-build'],
  'transport-socket': ['core', 'wire', 'native', 'tsyringe', 'zod'],
  'dma': ['core', 'wire', 'native', 'tsyringe', 'zod'],
  'pci': ['core', 'wire'],
  'block': ['core', 'native', 'tsyringe', 'zod'],
  'virtio': ['core', 'wire', 'pci'],
  'device-nvme': ['core', 'wire', 'pci', 'block', 'tsyringe', 'zod'],
  'device-virtio-blk': ['core', 'wire', 'pci', 'virtio', 'block', 'tsyringe', 'zod'],
  'testkit': ['core', 'core/host', 'wire', 'native', 'block', 'vitest'],
  'cli': [
    ...['core', 'core/host', 'block', 'device-nvme', 'device-virtio-blk', 'dma', 'native', 'pci', 'transport-socket'],
    ...['commander', 'esbuild', 'pino', 'pino-pretty', 'reflect-metadata', 'yaml', 'zod']
  ],
  'create-pcikit-device': []
}

/** What an example may import: what is published, as anybody may. */
interface ExampleRules {
  readonly mayImport: readonly string[]
  /** All of its sources together: an example shows how little it takes. */
  readonly linesMax: number
}

const EXAMPLES: Readonly<Record<string, ExampleRules>> = {
  'edu': { mayImport: ['core', 'pci', 'wire', 'zod'], linesMax: 400 },
  'idio-16': { mayImport: ['core', 'pci', 'zod'], linesMax: 200 },
  'snapshot': { mayImport: ['block', 'core'], linesMax: 300 },
  'virtio-rng': { mayImport: ['core', 'virtio', 'zod'], linesMax: 150 }
}

/** Where everything is that is published, or could be. */
const folders = [...packageNames.map(name => `packages/${name}`), ...exampleNames.map(name => `examples/${name}`)]
const sources = folders.flatMap(folder => sourcesIn(folder))

const FILE_LINES_MAX = 400

/** Words that must not stand in sources, and what to write instead. */
const BANS: readonly { readonly pattern: RegExp, readonly instead: string, readonly except?: RegExp }[] = [
  { pattern: /^export \* /m, instead: 'a list of what is exported' },
  { pattern: /^export default (?!definePlugin|plugin\b)/m, instead: 'a named export; only plugins have a default' },
  { pattern: /\bconsole\.(log|error|warn|info|debug|trace|table)\(/, instead: 'the Logger' },
  { pattern: /^(export )?(const )?enum /m, instead: 'an `as const` object' },
  { pattern: /^(export )?namespace /m, instead: 'a module' },
  { pattern: /: any\b|<any>|as any\b/, instead: 'a type' },
  { pattern: /\bnew Function\(|\beval\(/, instead: 'code' },
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: 'the work itself' },
  { pattern: /emitDecoratorMetadata/, instead: '@inject(TOKEN)' },
  {
    pattern: /import \{[^}]*\bcontainer\b[^}]*\} from 'tsyringe'/,
    instead: 'Scope',
    except: /core\/src\/host\/scope\.ts$/
  },
  { pattern: /\.readBigU?Int64|\.readU?Int(8|16|32)/, instead: 'a Field of @pcikit/wire' }
]

/** A source without its block comments. */
function code (text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '')
}

const BANNED_NAMES = /(^|\/)(utils?|helpers?|common|shared|types|misc)(\.ts$|\/)/

describe('the packages', () => {
  it('are those of the table, no more and no fewer', () => {
    expect(packageNames).toEqual(Object.keys(MAY_IMPORT).sort())
    expect(exampleNames).toEqual(Object.keys(EXAMPLES).sort())
  })

  it.each(folders)('%s imports what it may', folder => {
    const [kind, name = ''] = folder.split('/')
    const allowed = (kind === 'examples' ? EXAMPLES[name]?.mayImport : MAY_IMPORT[name]) ?? []
    const strangers = sourcesIn(folder).flatMap(file =>
      importsOf(file.text)
        .filter(module => !module.startsWith('.') && !module.startsWith('node:'))
        .map(module => module.replace(/^@pcikit\//, ''))
        .filter(module => !allowed.includes(module))
        .map(module => `${file.path} imports ${module}`)
    )
    expect(strangers).toEqual([])
  })

  it.each(folders)('%s declares what it imports, and nothing else', folder => {
    const manifest = JSON.parse(readFileSync(`${root}${folder}/package.json`, 'utf8')) as Record<string, object>
    const declared = Object.keys({ ...manifest['dependencies'], ...manifest['peerDependencies'] })
    const imported = sourcesIn(folder).flatMap(file => importsOf(file.text))
      .filter(module => !module.startsWith('.') && !module.startsWith('node:'))
      .map(module => module.split('/').slice(0, module.startsWith('@') ? 2 : 1).join('/'))
    expect([...new Set(imported)].filter(module => !declared.includes(module))).toEqual([])
    // By its quoted name: the addon's loader is required, and the command's bundle imports what it leaves out.
    const texts = sourcesIn(folder).map(file => file.text)
    if (folder === 'packages/cli') texts.push(readFileSync(`${root}scripts/bundle-command.mjs`, 'utf8'))
    const isNamed = (module: string) => texts.some(text => text.includes(`'${module}`))
    expect(Object.keys(manifest['dependencies'] ?? {}).filter(module => !isNamed(module))).toEqual([])
  })

  it.each(folders)('%s has no file that nothing imports', folder => {
    const files = sourcesIn(folder).map(file => file.path)
    const manifest = JSON.parse(readFileSync(`${root}${folder}/package.json`, 'utf8')) as {
      exports: Record<string, { default: string } | string>
      bin?: Record<string, string>
    }
    const entries = [...Object.values(manifest.exports), ...Object.values(manifest.bin ?? {})]
      .map(entry => typeof entry === 'string' ? entry : entry.default)
      // The command is published as one file, made of what its own entry imports.
      .map(entry => entry === './dist/pcikit.js' ? './dist/main.js' : entry)
      .map(entry => join(folder, entry).replace('/dist/', '/src/').replace(/\.js$/, '.ts'))
    const reached = new Set(entries)
    for (const path of reached) {
      const text = sourcesIn(folder).find(file => file.path === path)?.text ?? ''
      for (const module of importsOf(text).filter(each => each.startsWith('.'))) {
        reached.add(join(dirname(path), module).replace(/\.js$/, '.ts'))
      }
    }
    expect(files.filter(path => !reached.has(path) && !path.includes('/addon/'))).toEqual([])
  })
})

describe('the sources', () => {
  it.each(BANS)('never say $pattern', ({ pattern, instead, except }) => {
    const found = sources.filter(file => pattern.test(code(file.text)) && except?.test(file.path) !== true)
    expect(found.map(file => `${file.path}: use ${instead}`)).toEqual([])
  })

  it('are named after a concept', () => {
    expect(sources.map(file => file.path).filter(path => BANNED_NAMES.test(path))).toEqual([])
  })

  it(`have at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources.filter(file => file.text.split('\n').length > FILE_LINES_MAX)
    expect(long.map(file => `${file.path}: ${file.text.split('\n').length} lines`)).toEqual([])
  })

  it.each(Object.entries(EXAMPLES))('of the example %s are as few as they may be', (name, { linesMax }) => {
    const lines = sourcesIn(`examples/${name}`).flatMap(file => file.text.trimEnd().split('\n'))
    expect(lines.length).toBeLessThan(linesMax)
  })
})

describe('the tests', () => {
  const tests = [...folders.map(folder => `${folder}/test`), 'test'].flatMap(folder =>
    filesBelow(folder, /\.(test|fuzz)\.ts$/)
  )

  it('are never focused, and skipped only with a reason', () => {
    const bad = /\b(it|describe|test)\.only\b|\b(it|describe|test)\.skip\(|\bit\.todo\b/
    expect(tests.filter(file => bad.test(file.text) && !file.path.endsWith('tidy.test.ts')).map(file => file.path))
      .toEqual([])
  })

  it('are not named after numbers', () => {
    expect(tests.map(file => file.path).filter(path => /issue-?\d|\.\d+\.test/.test(path))).toEqual([])
  })
})
