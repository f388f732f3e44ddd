// Packs packages the way they are published: ranges of the workspace become versions, and the addon travels with its
// package.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './run.mjs'

/**
 * Packs every package, and further folders of the workspace, as `<name>-<version>.tgz`.
 *
 * @param {string} destination A folder that exists.
 * @param {{ workspace?: string, others?: readonly string[] }} options The workspace to pack, this one unless given, and
 *   folders in it besides packages/*.
 * @returns {string[]} The paths of the tarballs.
 */
export function packPackages (destination, { workspace = root, others = [] } = {}) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const filters = ['./packages/*', ...others.map(folder => `./${folder}`)].flatMap(folder => ['--filter', folder])
  const pack = ['--recursive', ...filters, 'pack', '--pack-destination', destination]
  execFileSync('npx', ['--yes', packageManager, ...pack], { cwd: workspace, stdio: ['ignore', 'ignore', 'inherit'] })
  const files = readdirSync(destination).filter(name => name.endsWith('.tgz')).sort()
  const native = files.find(name => name.startsWith('pcikit-native-'))
  if (native !== undefined) addAddon(join(destination, native))
  return files.map(name => join(destination, name))
}

/** The name of the folder and of the file are those that prebuildify gives them. */
const { glibcVersionRuntime } = process.report.getReport().header
const platform = `${process.platform}-${process.arch}`
const addon = `@pcikit+native.${glibcVersionRuntime === undefined ? 'musl' : 'glibc'}.node`

/** A release brings the addon for every platform in prebuilds/. Elsewhere the one that was built here stands in. */
function addAddon (tarball) {
  const built = `${root}packages/native/build/Release/pcikit_native.node`
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-pack-'))
  try {
    execFileSync('tar', ['-xzf', tarball, '-C', folder])
    const prebuilds = join(folder, 'package/prebuilds', platform)
    if (existsSync(join(prebuilds, addon))) return
    mkdirSync(prebuilds, { recursive: true })
    cpSync(built, join(prebuilds, addon))
    // Once more with npm, so that it is `files` of the package that lets the addon in.
    const pack = ['pack', '--silent', '--pack-destination', join(tarball, '..')]
    execFileSync('npm', pack, { cwd: join(folder, 'package'), stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The manifest in a tarball. */
export function readManifest (tarball) {
  return JSON.parse(execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }))
}
