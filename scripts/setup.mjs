// Sets up everything that a fresh clone lacks: pnpm, the dependencies, the native addon, the build. Quick when it has
// nothing to do. It needs Node and npm, and for the addon g++, make and python3.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { fail, must, root, say } from './run.mjs'

const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
const stamp = `${root}node_modules/.pcikit-setup`

function checkNode () {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (process.platform !== 'linux') fail('vfio-user devices run on Linux only: memory is shared by its descriptors.')
  if (major > 20 || (major === 20 && minor >= 19)) return
  fail(`Node ${process.versions.node} is too old. Install Node 20.19 or later, and try again.`)
}

/** Changes when the dependencies may have: the lock file, the manifests of all packages, the version of Node. */
function dependencyHash () {
  const hash = createHash('sha256').update(process.versions.modules)
  const folders = ['packages', 'examples'].flatMap(each =>
    readdirSync(root + each).sort().map(name => `${each}/${name}/`)
  )
  for (const folder of ['', 'test/', 'bench/', 'docs/', ...folders]) {
    const file = `${root}${folder}package.json`
    if (existsSync(file)) hash.update(readFileSync(file))
  }
  return hash.update(readFileSync(`${root}pnpm-lock.yaml`)).digest('hex')
}

async function installDependencies () {
  const hash = dependencyHash()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  say('installing the dependencies with pnpm (once)')
  const pnpm = ['--yes', manifest.packageManager, 'install', '--frozen-lockfile', '--prefer-offline']
  await must('Installing the dependencies', 'npx', pnpm, { stdio: ['ignore', process.stderr, process.stderr] })
  mkdirSync(`${root}node_modules`, { recursive: true })
  writeFileSync(stamp, hash)
}

/** Brings the workspace up to date with its sources. */
export async function setUp () {
  checkNode()
  await installDependencies()
  await must('Building the native addon', process.execPath, ['scripts/build-addon.mjs'])
  const firstBuild = !existsSync(`${root}packages/cli/dist/main.js`)
  if (firstBuild) say('building the packages (once)')
  await must('Building the packages', 'tsc', ['-b'], { stdio: ['ignore', process.stderr, process.stderr] })
  await must('Bundling the command', process.execPath, ['scripts/bundle-command.mjs'])
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await setUp()
