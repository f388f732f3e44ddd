// A lock between processes: a file that holds its owner's process id.
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

const retryMs = 300

/**
 * @param {number} pid
 * @returns {boolean}
 */
function isAlive (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}

/**
 * Runs `work` while no other process does so with the same lock file. The lock of a process that is gone is taken over.
 *
 * @template T
 * @param {string} path The lock file; its folder must exist.
 * @param {() => Promise<T>} work
 * @param {(owner: number) => void} onWait Called once when another process holds the lock.
 * @returns {Promise<T>}
 */
export async function withLock (path, work, onWait) {
  let told = false
  while (!await tryLock(path)) {
    const owner = Number(await readFile(path, 'utf8').catch(() => ''))
    if (owner > 0 && !isAlive(owner)) {
      // Only one of several waiting processes succeeds in moving the stale file away.
      const stale = `${path}.${process.pid}`
      await rename(path, stale).then(() => rm(stale), () => undefined)
      continue
    }
    if (!told && owner > 0) {
      told = true
      onWait(owner)
    }
    await delay(retryMs)
  }
  try {
    return await work()
  } finally {
    await rm(path, { force: true })
  }
}

/**
 * @param {string} path
 * @returns {Promise<boolean>}
 */
async function tryLock (path) {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false
    throw error
  }
}
