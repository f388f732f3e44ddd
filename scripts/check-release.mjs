// npm run check:release: a release as far as it goes without publishing. In a copy of the workspace it gives every
// package the version that the changesets ask for, packs all of them, and looks whether they fit each other.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { packPackages, readManifest } from './pack-packages.mjs'
import { fail, root, say } from './run.mjs'

/** What a release reads. */
const files = ['.changeset', '.npmrc', 'LICENSE', 'package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml']
const members = ['packages', 'examples']
const manifestsOnly = ['test', 'bench']

/** Copies what is built as it is, and links in it: they lead to places in the copy. */
function copyWorkspace (copy) {
  for (const name of files) cpSync(`${root}${name}`, join(copy, name), { recursive: true })
  const filter = path => !path.endsWith('packages/native/build')
  for (const name of members) {
    cpSync(`${root}${name}`, join(copy, name), { recursive: true, verbatimSymlinks: true, filter })
  }
  for (const name of manifestsOnly) {
    mkdirSync(join(copy, name))
    cpSync(`${root}${name}/package.json`, join(copy, name, 'package.json'))
  }
  symlinkSync(`${root}node_modules`, join(copy, 'node_modules'))
}

/** The changelog names the commit of each change, so that the copy needs one. */
function commit (copy) {
  const who = ['-c', 'user.name=release', '-c', 'user.email=release@localhost', '-c', 'commit.gpgsign=false']
  const git = words => execFileSync('git', [...who, ...words], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] })
  git(['init', '--quiet'])
  git(['add', '.changeset', 'package.json'])
  git(['commit', '--quiet', '--message', 'The workspace as it is'])
}

function readVersions (workspace) {
  const names = readdirSync(join(workspace, 'packages'))
  const manifests = names.map(name =>
    JSON.parse(readFileSync(join(workspace, 'packages', name, 'package.json'), 'utf8'))
  )
  return new Map(manifests.map(({ name, version }) => [name, version]))
}

/** Whether a range of the forms that are written here takes a version. */
function accepts (range, version) {
  if (range === `^${version}`) return true
  const [lowest, major] = /^>=(\S+) <(\d+)$/.exec(range)?.slice(1) ?? []
  if (lowest === undefined) return false
  return lowest.localeCompare(version, 'en', { numeric: true }) <= 0 && Number(version.split('.')[0]) < Number(major)
}

/** What the packages say of each other. */
function checkRanges (tarballs, versions) {
  return tarballs.flatMap(tarball => {
    const { name, dependencies, peerDependencies, devDependencies } = readManifest(tarball)
    const ranges = Object.entries({ ...devDependencies, ...dependencies, ...peerDependencies })
    return ranges.filter(([other]) => versions.has(other)).filter(([other, range]) =>
      !accepts(range, versions.get(other))
    )
      .map(([other, range]) => `${name} asks for ${other} ${range}, and it is ${versions.get(other)}`)
  })
}

/** The template asks for the versions that create-pcikit-device was released with. */
function checkTemplate (tarballs, before, after) {
  const name = 'create-pcikit-device'
  const { devDependencies } = readManifest(tarballs.find(tarball => basename(tarball).startsWith(name)))
  const released = Object.keys(devDependencies).filter(other => before.get(other) !== after.get(other))
  if (released.length === 0 || before.get(name) !== after.get(name)) return []
  return [`${name} makes projects with the versions of before: add it to the changeset of ${released.join(', ')}`]
}

function checkChangelogs (copy, before, after) {
  return [...after].filter(([name, version]) => before.get(name) !== version)
    .map(([name]) => join(copy, 'packages', name.replace('@pcikit/', '')))
    .filter(folder => !existsSync(join(folder, 'CHANGELOG.md')))
    .map(folder => `${basename(folder)} has a new version and no change for it in its CHANGELOG.md`)
}

const folder = mkdtempSync(join(tmpdir(), 'pcikit-release-'))
const copy = join(folder, 'workspace')
const packed = join(folder, 'tarballs')
let complaints
try {
  mkdirSync(packed, { recursive: true })
  mkdirSync(copy)
  copyWorkspace(copy)
  commit(copy)
  const before = readVersions(copy)
  const changeset = `${root}node_modules/.bin/changeset`
  execFileSync(changeset, ['version'], { cwd: copy, stdio: ['ignore', 'ignore', 'inherit'] })
  const after = readVersions(copy)
  const tarballs = packPackages(packed, { workspace: copy })
  for (const tarball of tarballs) say(`packed ${basename(tarball)}`)
  complaints = [
    ...tarballs.length === after.size ? [] : [`${tarballs.length} of ${after.size} packages were packed`],
    ...checkRanges(tarballs, after),
    ...checkTemplate(tarballs, before, after),
    ...checkChangelogs(copy, before, after)
  ]
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const each of complaints) say(each)
if (complaints.length > 0) fail('A release would not hold together. What does not fit is above.')
