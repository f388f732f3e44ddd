// npm run check:packages: packs every package as it would be published and looks for what would not work for users.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { packPackages, readManifest } from './pack-packages.mjs'
import { fail, say } from './run.mjs'

/** How a package for Node, as ES modules alone, is not found: by `require`, and by a resolution without `exports`. */
const NOT_OFFERED = new Set(['node10', 'node16-cjs'])

/** Manifest and files: what publint finds. */
async function lintPackage (bytes, manifest) {
  const { messages } = await publint({ pack: { tarball: bytes.buffer }, strict: true })
  return messages.map(message => formatMessage(message, manifest))
}

/** Types, as each kind of resolution finds them: what Are The Types Wrong? finds. */
async function checkTypes (bytes) {
  const { problems } = await checkPackage(createPackageFromTarballData(bytes))
  return problems.filter(({ resolutionKind }) => !NOT_OFFERED.has(resolutionKind))
    .map(problem => `types: ${JSON.stringify(problem)}`)
}

/** What users look at first, and what they rely on. */
function checkContents (manifest) {
  const wanted = ['description', 'license', 'repository', 'engines', 'exports', 'files', 'publishConfig']
  const missing = wanted.filter(field => manifest[field] === undefined).map(field => `package.json has no ${field}`)
  const ranges = Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })
  const unpublished = ranges.filter(([, range]) => range.startsWith('workspace:'))
    .map(([name, range]) => `${name}: ${range} is no range for npm`)
  const provenance = manifest.publishConfig?.provenance === true ? [] : ['it would be published without provenance']
  return [...missing, ...unpublished, ...provenance]
}

const folder = mkdtempSync(join(tmpdir(), 'pcikit-check-'))
let complaints = 0
try {
  for (const tarball of packPackages(folder)) {
    say(`checking ${basename(tarball)}`)
    // A buffer of its own: publint takes the whole of it.
    const bytes = new Uint8Array(readFileSync(tarball))
    const manifest = readManifest(tarball)
    const found = [...checkContents(manifest), ...await lintPackage(bytes, manifest), ...await checkTypes(bytes)]
    for (const each of found) say(`  ${each}`)
    complaints += found.length
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (complaints > 0) fail(`${complaints} things in the packages would not work for users. They are above.`)
