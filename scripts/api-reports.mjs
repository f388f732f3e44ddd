// npm run api: writes packages/*/api/*.api.md, what each package exports, as a reviewer reads it.
// npm run check:api: fails where a report is not what the package exports, and shows the difference.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import { fail, must, root, say } from './run.mjs'

const isCheck = process.argv.includes('--check')

/** Whatever the package's own configuration is, its declarations are read alike. */
const compilerOptions = {
  target: 'ES2022',
  lib: ['ES2023', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  types: ['node'],
  strict: true,
  skipLibCheck: true
}

/** What it knows to complain about is no rule here. In the reports it would stand with numbers of lines. */
const silent = { default: { logLevel: 'none' } }
const messages = {
  compilerMessageReporting: { default: { logLevel: 'error' } },
  extractorMessageReporting: silent,
  tsdocMessageReporting: silent
}

/** The entries of a package: its modules with types, and the name of the report of each. */
function entriesOf (folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return Object.entries(exports).filter(([, value]) => value.types !== undefined)
    .map(([path, { types }]) => ({ name: path === '.' ? 'index' : path.slice(2), types: join(folder, types) }))
}

/** Has one report written, and tells whether the one that is kept was the same. */
function report (folder, { name, types }, temporary) {
  const reports = join(folder, 'api')
  mkdirSync(reports, { recursive: true })
  const configObject = {
    projectFolder: folder,
    mainEntryPointFilePath: types,
    compiler: { overrideTsconfig: { compilerOptions, files: [types] } },
    apiReport: {
      enabled: true,
      reportFolder: reports,
      reportTempFolder: temporary,
      reportFileName: name,
      // What can be seen and not be imported is public all the same. Further entries see much of the first one.
      includeForgottenExports: name === 'index'
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    newlineKind: 'lf',
    messages
  }
  const config = ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: undefined,
    packageJsonFullPath: join(folder, 'package.json')
  })
  const { errorCount, apiReportChanged } = Extractor.invoke(config, {
    localBuild: !isCheck,
    messageCallback: message => {
      if (message.logLevel !== 'error') message.handled = true
    }
  })
  if (errorCount > 0) fail(`No report of ${types} could be made. What is wrong is above.`)
  return !apiReportChanged
}

/** Reports of entries that are gone. */
function strayReports (folder, entries) {
  const reports = join(folder, 'api')
  const names = existsSync(reports) ? readdirSync(reports) : []
  return names.filter(file => !entries.some(({ name }) => file === `${name}.api.md`)).map(file => join(reports, file))
}

// All of them anew: in which order the members of an inferred type are printed depends on what was compiled before it.
await must('Building the packages', 'tsc', ['-b', '--force'])
let differences = 0
for (const name of readdirSync(`${root}packages`).sort()) {
  const folder = join(root, 'packages', name)
  const temporary = mkdtempSync(join(tmpdir(), 'pcikit-api-'))
  const entries = entriesOf(folder)
  for (const entry of entries) {
    say(`${isCheck ? 'checking' : 'writing'} packages/${name}/api/${entry.name}.api.md`)
    if (report(folder, entry, temporary) || !isCheck) continue
    const files = [join(folder, 'api', `${entry.name}.api.md`), join(temporary, `${entry.name}.api.md`)]
    spawnSync('git', ['diff', '--no-index', ...files], { stdio: 'inherit' })
    differences += 1
  }
  for (const file of strayReports(folder, entries)) {
    say(`${basename(file)} of packages/${name} is of nothing that it exports`)
    if (isCheck) differences += 1
    else rmSync(file)
  }
  rmSync(temporary, { recursive: true })
}
if (differences > 0) {
  fail(`${differences} API reports are not up to date. Is the change above meant? Then "npm run api" writes them anew.`)
}
