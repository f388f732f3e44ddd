import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { blocksOf, documents } from './documents.js'
import type { SourceFile } from './sources.js'

/** What stands around each recipe, so that each can be short. */
const aroundRecipes = documents.find(({ path }) => path === 'docs/recipes/README.md')

/**
 * What a reader has in a folder each time that the document says `npm test`, and at its end: blocks with a title are
 * files, and a later one takes the place of an earlier one.
 */
function projectsOf (document: SourceFile): readonly ReadonlyMap<string, string>[] {
  const projects: ReadonlyMap<string, string>[] = []
  const isRecipe = document.path.startsWith('docs/recipes/') && document !== aroundRecipes
  let files = new Map(isRecipe && aroundRecipes !== undefined ? projectsOf(aroundRecipes)[0] : [])
  let isTested = true
  for (const { language, title, text } of blocksOf(document)) {
    if (title !== undefined) {
      files = new Map(files).set(title, text)
      isTested = false
    } else if (language === 'sh' && /^npm test$/m.test(text) && !isTested) {
      projects.push(files)
      isTested = true
    }
  }
  return isTested ? projects : [...projects, files]
}

/** Puts files into a folder, and returns where they are. */
export function writeFiles (folder: string, files: ReadonlyMap<string, string>): readonly string[] {
  return [...files].map(([name, text]) => {
    const path = join(folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
    return path
  })
}

/** What documents have a reader make. Each is named after its document and how far that has come. */
export const projects = documents.flatMap(document =>
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

/** Which files with tests were run, and what went wrong in them: in one where nothing passed at all, too. */
export interface TestRun {
  readonly files: readonly string[]
  readonly failures: readonly string[]
}

/**
 * Runs the tests of the projects in a folder as a reader runs those of one, but against the sources of the packages.
 * The folder is one level below `test`.
 */
export async function runTests (folder: string, include: string): Promise<TestRun> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
  const config = join(folder, 'vitest.config.ts')
  const report = join(folder, 'report.json')
  const test = { include: [include], pool: 'forks', testTimeout: 600_000, hookTimeout: 600_000 }
  writeFileSync(
    config,
    `import workspace from '../../vitest.config.js'
    const [{ resolve }] = workspace.test.projects
    export default { resolve, test: ${JSON.stringify(test)} }`
  )
  const words = ['run', '--root', folder, '--config', config, '--reporter=json', `--outputFile=${report}`]
  const own = Object.entries(process.env).filter(([name]) => !/^VITEST|^VITE_|^NODE_ENV$/.test(name))
  const child = spawn(process.execPath, [vitest, ...words], {
    cwd: folder,
    env: Object.fromEntries(own),
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', bytes => output += String(bytes))
  await once(child, 'close')
  try {
    return summarize(JSON.parse(readFileSync(report, 'utf8')) as Report)
  } catch (cause) {
    throw new Error(`The tests did not run: ${output}`, { cause })
  }
}

function summarize ({ testResults }: Report): TestRun {
  const failures = testResults.flatMap(({ name, message, assertionResults }) => [
    ...(assertionResults.some(({ status }) => status === 'passed') ? [] : [`${name}: nothing passed. ${message}`]),
    ...assertionResults.filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages }) => `${name}: ${fullName}: ${failureMessages.join('\n')}`)
  ])
  return { files: testResults.map(({ name }) => name).sort(), failures }
}
