// Bundles the pcikit command into packages/cli/dist/pcikit.js, out of what tsc built: a process that reads one file
// starts in a fraction of the time that it takes to read the hundreds of files that the command is made of. Quick when
// it has nothing to do.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { root, say } from './run.mjs'

const folder = `${root}packages/cli/dist/`
const stamp = `${root}node_modules/.pcikit-bundle`
/** What the bundle depends on besides its modules: the versions of other people's code, and this script. */
const surroundings = [`${root}pnpm-lock.yaml`, fileURLToPath(import.meta.url)]
/** The addon's package finds its binary next to itself. */
const external = ['@pcikit/native']

async function bundleCommand () {
  say('bundling the command')
  const chunk = await bundle()
  write('pcikit.js.map', chunk.map.toString())
  write('pcikit.licenses.txt', licensesOf(chunk.moduleIds))
  write('pcikit.js', `${chunk.code}//# sourceMappingURL=pcikit.js.map\n`)
  // Modules of others are as the lock file says; a new module of ours shows in the one that imports it.
  const files = chunk.moduleIds.filter(id => id.startsWith(root) && !id.includes('/node_modules/'))
  writeFileSync(stamp, JSON.stringify({ hash: hashOf(files), files: files.map(file => file.slice(root.length)) }))
}

function isFresh () {
  if (!existsSync(stamp) || !existsSync(`${folder}pcikit.js`)) return false
  const { hash, files } = JSON.parse(readFileSync(stamp, 'utf8'))
  return hash === hashOf(files.map(file => root + file))
}

function hashOf (files) {
  const hash = createHash('sha256')
  for (const file of [...surroundings, ...files]) hash.update(existsSync(file) ? readFileSync(file) : file)
  return hash.digest('hex')
}

async function bundle () {
  const { build } = await import('vite')
  const { output } = await build({
    configFile: false,
    root: `${root}packages/cli`,
    logLevel: 'warn',
    ssr: { noExternal: true, external },
    build: {
      ssr: 'dist/main.js',
      write: false,
      target: 'node20',
      minify: false,
      sourcemap: 'hidden',
      rollupOptions: {
        output: { entryFileNames: 'pcikit.js', inlineDynamicImports: true, sourcemapExcludeSources: true },
        onwarn: judge
      }
    }
  })
  return output.find(each => each.isEntry)
}

/** Other people's code gives reasons to warn that are no reason to stop; what the bundle lacks is. */
function judge ({ code, message }) {
  if (code === 'UNRESOLVED_IMPORT') throw new Error(message)
}

/** The licences of the packages of others that are in the bundle: they want to be where the code is. */
function licensesOf (modules) {
  const folders = new Set(modules.map(id => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace('\0', ''))?.[0]))
  folders.delete(undefined)
  const notices = [...folders].map(each => {
    const { name, version, license } = JSON.parse(readFileSync(`${each}/package.json`, 'utf8'))
    const texts = readdirSync(each).filter(file => /^(licen[cs]e|notice|copying)/i.test(file))
      .map(file => readFileSync(`${each}/${file}`, 'utf8').trim())
    if (texts.length === 0) throw new Error(`${name} has no licence file. Its licence has to go with the bundle.`)
    return `${name} ${version} (${license})\n\n${texts.join('\n\n')}\n`
  })
  return `pcikit.js contains code of these packages.\n\n${notices.sort().join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** Renamed into place, so that a command that starts meanwhile reads all of it. */
function write (name, text) {
  writeFileSync(`${folder}${name}.new`, text)
  renameSync(`${folder}${name}.new`, folder + name)
}

// Vite reads it, and sets it for this process where it is not set.
process.env.NODE_ENV = 'production'
if (!isFresh()) await bundleCommand()
