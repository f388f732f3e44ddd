// Sets up all that a test with a virtual machine needs: QEMU, firmware, and what the guest boots.
// Plain JavaScript, with its types in comments, so that it runs before anything is installed or built.
import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { prepareForRoots } from './debian-root.mjs'
import { guestFiles, guestRecipe, guestScripts, makeGuest, makeGuestRoot, rootRecipe } from './guest.mjs'
import { withLock } from './lock.mjs'
import { findInstalledQemu, findUnpackedQemu, qemuPackages, unpackQemu } from './qemu.mjs'

/**
 * Everything that starts a virtual machine.
 *
 * @typedef {object} VmFiles
 * @property {import('./qemu.mjs').Qemu} qemu
 * @property {import('./guest.mjs').GuestFiles} guest
 * @property {string} cache The folder where all of it is kept.
 */

/**
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string} The folder where a set-up is kept: `PCIKIT_VM_CACHE`, or a folder in the user's cache.
 */
export function vmCacheFolder (env = process.env) {
  if (env['PCIKIT_VM_CACHE']) return env['PCIKIT_VM_CACHE']
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'pcikit', 'vm')
}

/**
 * @param {unknown} recipe
 * @returns {string} A short name that changes when the recipe does.
 */
function hash (recipe) {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12)
}

/** @returns {Promise<string>} */
async function guestHash () {
  const names = (await readdir(guestScripts)).sort()
  const scripts = await Promise.all(names.map(name => readFile(join(guestScripts, name), 'utf8')))
  return hash([rootRecipe, guestRecipe, names, scripts])
}

/**
 * @param {string} path
 * @returns {Promise<boolean>}
 */
async function exists (path) {
  return stat(path).then(() => true, () => false)
}

const keptMs = 24 * 60 * 60 * 1000

/**
 * Makes a folder under another name first, so that one that is there is always complete. Removes versions of
 * it that are a day old; a younger one may be another checkout's.
 *
 * @param {string} folder
 * @param {(folder: string) => Promise<void>} make
 */
async function makeFolder (folder, make) {
  const parent = join(folder, '..')
  const kind = folder.slice(parent.length + 1).split('-')[0]
  const unfinished = join(parent, `unfinished-${kind}`)
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true })
  await make(unfinished)
  await rename(unfinished, folder)
  for (const name of await readdir(parent)) {
    const path = join(parent, name)
    if (!name.startsWith(`${kind}-`) || path === folder) continue
    if (Date.now() - (await stat(path)).mtimeMs > keptMs) await rm(path, { recursive: true })
  }
}

/**
 * @param {string} folder
 * @param {string} rootFolder
 * @param {(message: string) => void} log
 */
async function makeGuestFolder (folder, rootFolder, log) {
  if (!await exists(rootFolder)) {
    log(`Making the guests' Debian in ${rootFolder}. This takes one to three minutes.`)
    await makeFolder(rootFolder, unfinished => makeGuestRoot(join(unfinished, 'root')))
  }
  log(`Making the guests' initramfs and disk image in ${folder}.`)
  await makeFolder(folder, unfinished => makeGuest(join(rootFolder, 'root'), unfinished))
}

/**
 * Sets up what is not there yet. The second time it only looks.
 *
 * @param {object} [options]
 * @param {string} [options.cache]
 * @param {(message: string) => void} [options.log] Told what is done, when anything is.
 * @returns {Promise<VmFiles>}
 * @throws {Error} When this machine cannot be set up; the message says what to do.
 */
export async function setUpVm ({ cache = vmCacheFolder(), log = () => undefined } = {}) {
  const qemuFolder = join(cache, `qemu-${hash(qemuPackages)}`)
  const guestFolder = join(cache, `guest-${await guestHash()}`)
  const installed = await findInstalledQemu()
  const missing = async () => ({
    qemu: installed === undefined && !await exists(qemuFolder),
    guest: !await exists(guestFolder)
  })
  const first = await missing()
  if (first.qemu || first.guest) {
    await mkdir(cache, { recursive: true })
    const onWait = (/** @type {number} */ owner) => {
      log(`Waiting for the set-up that process ${owner} runs.`)
    }
    await withLock(join(cache, 'lock'), async () => {
      const { qemu, guest } = await missing()
      if (!qemu && !guest) return
      await prepareForRoots(log)
      const rootFolder = join(cache, `debian-${hash(rootRecipe)}`)
      const work = []
      if (qemu) {
        log(`Unpacking QEMU into ${qemuFolder}: this machine has none of 10.1 or later with vfio-user-pci and OVMF.`)
        work.push(makeFolder(qemuFolder, folder => unpackQemu(join(folder, 'root'))))
      }
      if (guest) {
        work.push(makeGuestFolder(guestFolder, rootFolder, log))
      }
      for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
    }, onWait)
  }
  const qemu = installed ?? await findUnpackedQemu(join(qemuFolder, 'root'))
  return { qemu, guest: guestFiles(guestFolder), cache }
}
