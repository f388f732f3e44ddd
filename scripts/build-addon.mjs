// Builds the native addon where it is used, unless it is up to date. It needs g++, make and python3, and the network
// only where Node came without its headers.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fail, root, say } from './run.mjs'

const folder = join(root, 'packages/native')
const sources = join(folder, 'src/addon')
const target = join(folder, 'build/Release')
const binary = join(target, 'pcikit_native.node')
const stamp = join(target, 'sources.sha256')

/** What makes the binary. binding.gyp is among it: in the package's root it would count as an install script. */
function sourceFiles () {
  return readdirSync(sources).filter(name => /\.(cc|h|gyp)$/.test(name)).sort()
}

/**
 * Changes when the binary would. The version of Node does not count: Node-API and libuv keep their binary interfaces,
 * so one binary serves every Node from 20 on.
 */
function sourceHash () {
  const { glibcVersionRuntime } = process.report.getReport().header
  const libc = glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${libc}`)
  for (const name of sourceFiles()) hash.update(`\0${name}\0`).update(readFileSync(join(sources, name)))
  return hash.digest('hex')
}

function isCurrent (hash) {
  return existsSync(binary) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
}

/** Where Node's headers are on this machine, so that node-gyp need not download them. */
function headerOption () {
  const prefixes = [dirname(dirname(process.execPath)), process.config.variables.node_prefix, '/usr/local', '/usr']
  const prefix = prefixes.find(each => each && existsSync(join(each, 'include/node/node_api.h')))
  return prefix === undefined ? [] : [`--nodedir=${prefix}`]
}

function missingTools () {
  const isMissing = tool => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined
  return ['g++', 'make', 'python3'].filter(isMissing)
}

function failBuild (result) {
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  const missing = missingTools()
  const why = missing.length === 0 ? 'What the build printed is above.' : `Not installed: ${missing.join(', ')}.`
  fail(
    `The native addon could not be built. ${why} It needs g++ (or another compiler, named in CXX), make and python3 ` +
      '(Debian: apt-get install g++ make python3; Alpine: apk add g++ make python3; Fedora: dnf install gcc-c++ make ' +
      'python3), and the headers of Node, which node-gyp downloads where Node came without them.'
  )
}

/**
 * Builds a copy of the sources in a folder of its own and moves the result into place: a process that runs the old
 * binary, and another build at the same moment, notice nothing.
 */
function build (hash) {
  const work = join(folder, `build/work-${process.pid}`)
  mkdirSync(work, { recursive: true })
  try {
    for (const name of sourceFiles()) cpSync(join(sources, name), join(work, name))
    const nodeGyp = createRequire(join(root, 'package.json')).resolve('node-gyp/bin/node-gyp.js')
    const parameters = ['rebuild', '--loglevel=error', `--jobs=${availableParallelism()}`, ...headerOption()]
    const result = spawnSync(process.execPath, [nodeGyp, ...parameters], { cwd: work, encoding: 'utf8' })
    if (result.status !== 0) return result
    mkdirSync(target, { recursive: true })
    rmSync(stamp, { force: true })
    renameSync(join(work, 'build/Release/pcikit_native.node'), binary)
    writeFileSync(stamp, hash)
    return undefined
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const hash = sourceHash()
if (!isCurrent(hash)) {
  say('building the native addon (takes some 15 seconds)')
  const failure = build(hash)
  if (failure !== undefined) failBuild(failure)
}
