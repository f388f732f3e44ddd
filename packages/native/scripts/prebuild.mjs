// Makes the binary that is published for the platform this runs on: prebuilds/linux-<arch>/@pcikit+native.<libc>.node.
// The release runs it once on each platform (see .github/workflows/prebuild.yml) and packs the results together.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const folder = fileURLToPath(new URL('..', import.meta.url))
const workspaceBin = join(folder, '../../node_modules/.bin')
// On the file system of the result, because prebuildify renames it into place.
const work = join(folder, 'build/prebuild')

/** Node's own headers, where they came with it; otherwise node-gyp downloads them. */
function headers () {
  const prefix = [dirname(dirname(process.execPath)), '/usr/local', '/usr']
    .find(each => existsSync(join(each, 'include/node/node_api.h')))
  return prefix === undefined ? {} : { npm_config_nodedir: prefix }
}

function copySources () {
  const sources = join(folder, 'src/addon')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  for (const name of readdirSync(sources)) {
    if (/\.(cc|h|gyp)$/.test(name)) cpSync(join(sources, name), join(work, name))
  }
}

copySources()
const parameters = ['--napi', '--strip', '--tag-libc', '--name=@pcikit/native', `--cwd=${work}`, `--out=${folder}`]
const result = spawnSync(process.execPath, [require.resolve('prebuildify/bin.js'), ...parameters], {
  cwd: work,
  stdio: 'inherit',
  env: { ...process.env, ...headers(), PATH: `${workspaceBin}${delimiter}${process.env.PATH}` }
})
rmSync(work, { recursive: true, force: true })
const made = join(folder, 'prebuilds', `${process.platform}-${process.arch}`)
if (result.status !== 0) {
  console.error('The prebuild failed. It needs g++, make, python3 and strip (binutils); what it printed is above.')
  process.exit(1)
}
for (const name of readdirSync(made)) console.log(join(made, name))
