import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const packages = fileURLToPath(new URL('packages', import.meta.url))
const examples = fileURLToPath(new URL('examples', import.meta.url))

/** For the tests that run the built command. */
const command = fileURLToPath(new URL('test/bundled-command.ts', import.meta.url))

/** Tests run against the sources: `@pcikit/core/host` is packages/core/src/host/index.ts. */
const alias = [
  { find: /^@pcikit\/([a-z-]+)$/, replacement: `${packages}/$1/src/index.ts` },
  { find: /^@pcikit\/([a-z-]+)\/([a-z-]+)$/, replacement: `${packages}/$1/src/$2/index.ts` },
  { find: /^pcikit-(?:block|device)-([a-z0-9-]+)$/, replacement: `${examples}/$1/src/index.ts` }
]

/** Those of packages, and of packages as others would write them. */
const unitTests = [
  'packages/*/test/**/*.test.ts',
  'packages/*/template/test/*.test.ts',
  'examples/*/test/**/*.test.ts',
  'test/*.test.ts'
]

interface ProjectOptions {
  readonly testTimeout?: number
  readonly serial?: boolean
  readonly globalSetup?: string
}

function project (name: string, include: string[], options: ProjectOptions = {}) {
  return {
    resolve: { alias },
    test: {
      name,
      include,
      pool: 'forks' as const,
      ...(options.globalSetup === undefined ? {} : { globalSetup: options.globalSetup }),
      testTimeout: options.testTimeout ?? 10_000,
      hookTimeout: options.testTimeout ?? 10_000,
      fileParallelism: options.serial !== true
    }
  }
}

export default defineConfig({
  test: {
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
        serial: true,
        globalSetup: command
      })
    ]
  }
})
