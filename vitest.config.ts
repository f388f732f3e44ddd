import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('packages', import.meta.url))
const examples = fileURLToPath(new URL('examples', import.meta.url))

/** For the tests that run the built command. */
const command = fileURLToPath(new URL('test/bundled-command.ts', import.meta.url))

/** Tests run against the sources; before a release they run against what was compiled. */
const isCompiled = process.env['PCIKIT_TEST'] === 'dist'
const [folder, extension] = isCompiled ? ['dist', 'js'] : ['src', 'ts']

/** `@pcikit/core/host` is packages/core/src/host/index.ts. */
const alias = [
  { find: /^@pcikit\/([a-z-]+)$/, replacement: `${packages}/$1/${folder}/index.${extension}` },
  { find: /^@pcikit\/([a-z-]+)\/([a-z-]+)$/, replacement: `${packages}/$1/${folder}/$2/index.${extension}` },
  { find: /^pcikit-(?:block|device)-([a-z0-9-]+)$/, replacement: `${examples}/$1/${folder}/index.${extension}` }
]

/** Where a test imports a source by its path, it gets what was compiled of it. */
const compiled = {
  name: 'compiled',
  resolveId (source: string, importer: string | undefined) {
    if (!isCompiled || importer === undefined || !source.startsWith('.')) return undefined
    const path = resolve(dirname(importer), source)
    const found = path.replace(/\/src\/(?=[^]*\.js$)/, '/dist/')
    return found === path ? undefined : found
  }
}

/** Those of packages, and of packages as others would write them. */
const unitTests = [
  'packages/*/test/**/*.test.ts',
  'packages/*/template/test/*.test.ts',
  'examples/*/test/**/*.test.ts',
  'test/*.test.ts'
]

interface ProjectOptions {
  readonly testTimeout?: number
  readonly globalSetup?: string
}

function project (name: string, include: string[], options: ProjectOptions = {}) {
  return {
    plugins: [compiled],
    resolve: { alias },
    test: {
      name,
      include,
      pool: 'forks' as const,
      ...(options.globalSetup === undefined ? {} : { globalSetup: options.globalSetup }),
      testTimeout: options.testTimeout ?? 10_000,
      hookTimeout: options.testTimeout ?? 10_000
    }
  }
}

export default defineConfig({
  test: {
    // Tests wait for processes and guests much of their time, so that two files at a time are not too many anywhere.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        ...project('unit', unitTests),
        test: {
          ...project('unit', unitTests).test,
          exclude: ['**/compliance.test.ts', '**/node_modules/**']
        }
      },
      project('compliance', ['{packages,examples}/*/{test,template/test}/**/compliance.test.ts']),
      project('fuzz', ['packages/*/test/**/*.fuzz.ts'], { testTimeout: 180_000 }),
      project('integration', ['test/integration/**/*.test.ts'], { testTimeout: 60_000, globalSetup: command }),
      project('packages', ['test/packages/**/*.test.ts'], { testTimeout: 300_000, globalSetup: command }),
      project('conformance', ['test/conformance/**/*.test.ts'], { testTimeout: 30_000 }),
      {
        resolve: { alias },
        test: {
          name: 'bench',
          include: [],
          benchmark: { include: ['packages/*/bench/**/*.bench.ts', 'bench/**/*.bench.ts'] }
        }
      },
      project('vm', ['test/vm/**/*.test.ts', 'packages/*/template/test/vm/*.test.ts'], {
        testTimeout: 600_000,
        globalSetup: command
      })
    ]
  }
})
