import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compile, documents, projectsOf, writeFiles } from './documents.js'
import { root } from './sources.js'

// Below test/, so that the projects find the packages the way an application does.
const folder = mkdtempSync(join(root, 'test', '.examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Each has a folder of its own, named after its document and how far that has come. */
const projects = documents.flatMap(document =>
  projectsOf(document).map((files, step) => ({
    name: `${document.path.replaceAll('/', '_')}-${step + 1}`,
    files
  }))
)

/** What vitest reports as JSON, as far as it is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** Runs the tests of all projects as a reader runs those of one, but against the sources of the packages. */
async function runTests (): Promise<Report> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  const config = join(folder, 'vitest.config.ts')
  const report = join(folder, 'report.json')
  writeFileSync(
    config,
    `import workspace from '../../vitest.config.js'
    const [{ resolve }] = workspace.test.projects
    export default { resolve, test: { include: ['*/test/*.test.ts'], pool: 'forks', testTimeout: 30_000 } }`
  )
  const words = ['run', '--root', folder, '--config', config, '--reporter=json', `--outputFile=${report}`]
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^VITEST|^VITE_|^NODE_ENV$/.test(name))
  )
  const child = spawn(process.execPath, [vitest, ...words], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => output += String(bytes))
  await once(child, 'close')
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report
  } catch (cause) {
    throw new Error(`The tests did not run: ${output}`, { cause })
  }
}

describe('the files that the documents have a reader make', () => {
  const names = projects.flatMap(({ name, files }) => writeFiles(join(folder, name), files))

  it('are there', () => {
    expect(projects.map(({ name }) => name)).toContain('docs_tutorial.md-3')
  })

  it('compile, after each step', () => {
    expect(compile(names.filter(name => name.endsWith('.ts')))).toEqual([])
  }, 120_000)

  it('pass the tests among them, after each step', async () => {
    const { testResults } = await runTests()
    const expected = names.filter(name => /\/test\/[^/]+\.test\.ts$/.test(name))
    expect(testResults.map(({ name }) => name).sort()).toEqual([...expected].sort())
    const failures = testResults.flatMap(({ name, message, assertionResults }) => [
      ...(assertionResults.some(({ status }) => status === 'passed') ? [] : [`${name}: nothing passed. ${message}`]),
      ...assertionResults.filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${name}: ${fullName}: ${failureMessages.join('\n')}`)
    ])
    expect(failures).toEqual([])
  }, 300_000)
})
