// Builds the native addon where it is used, unless it is up to date. It needs g++, make and python3, and the network
// only where Node came without its headers.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fail, root, say } from './run.mjs'

const folder = join(root, 'packages/native')
const sources = join(folder, 'src/addon')
const binary = join(folder, 'build/Release/pcikit_native.node')
const stamp = join(folder, 'build/.sources')

/**
 * Changes when the binary would. The version of Node does not count: Node-API and libuv keep their binary interfaces, so
 * one binary serves every Node from 20 on.
 */
function sourceHash () {
  const hash = createHash('sha256')
  const { glibcVersionRuntime } = process.report.getReport().header
  hash.update(`${process.platform} ${process.arch} ${glibcVersionRuntime === undefined ? 'musl' : 'glibc'}`)
  const files = readdirSync(sources).sort().map(name => join(sources, name))
  for (const file of [join(folder, 'binding.gyp'), ...files]) {
    hash.update(`${file.slice(folder.length)}\0`).update(readFileSync(file))
  }
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
  return ['g++', 'make', 'python3'].filter(tool =>
    spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined
  )
}

function runNodeGyp () {
  const nodeGyp = createRequire(join(root, 'package.json')).resolve('node-gyp/bin/node-gyp.js')
  const parameters = [nodeGyp, 'configure', 'build', '--loglevel=error', ...headerOption()]
  return spawnSync(process.execPath, parameters, { cwd: folder, encoding: 'utf8' })
}

const hash = sourceHash()
if (!isCurrent(hash)) {
  say('building the native addon (takes some 20 seconds)')
  rmSync(stamp, { force: true })
  const result = runNodeGyp()
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
    const missing = missingTools()
    const why = missing.length === 0 ? 'What the build printed is above.' : `Not installed: ${missing.join(', ')}.`
    fail(
      `The native addon could not be built. ${why} It needs g++ (or clang++ in CXX), make and python3 ` +
        '(Debian: apt-get install g++ make python3; Alpine: apk add g++ make python3; Fedora: dnf install gcc-c++ make ' +
        'python3), and the headers of Node, which node-gyp downloads where Node came without them.'
    )
  }
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}
