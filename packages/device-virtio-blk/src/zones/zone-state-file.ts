import { access, constants, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PcikitError } from '@pcikit/core'
import { Turns } from './turns.js'

/**
 * A small file that is always whole: replaced as one, and on disk when it is answered. Snapshots carry a number that
 * grows with their age of making; an older one never replaces a newer one.
 */
export class ZoneStateFile {
  readonly path: string
  readonly #turns = new Turns()
  #newest: Uint8Array | undefined = undefined
  #newestNumber = 0
  #savedNumber = 0

  constructor (path: string) {
    this.path = path
  }

  /** What it holds; undefined where there is no such file yet. Throws PCIKIT_ZONE_STATE_INVALID. */
  async load (): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new PcikitError(
        'PCIKIT_ZONE_STATE_INVALID',
        `The zone state file ${this.path} cannot be read. Give another path, or its permissions.`,
        { cause, details: { path: this.path } }
      )
    }
  }

  /** Throws PCIKIT_ZONE_STATE_INVALID where the file cannot be made or replaced. */
  async assertReplaceable (): Promise<void> {
    try {
      await access(dirname(this.path), constants.W_OK | constants.X_OK)
    } catch (cause) {
      throw new PcikitError(
        'PCIKIT_ZONE_STATE_INVALID',
        `The zone state file ${this.path} cannot be written: its folder is missing or does not allow it. Give ` +
          'another path.',
        { cause, details: { path: this.path } }
      )
    }
  }

  /** Resolves when this snapshot, or a newer one, is on disk. Rejects with PCIKIT_BLOCK_UNAVAILABLE. */
  async save (snapshot: Uint8Array, number: number): Promise<void> {
    if (number <= this.#savedNumber) return
    if (number > this.#newestNumber) {
      this.#newest = snapshot
      this.#newestNumber = number
    }
    await this.#turns.take(async () => {
      if (number > this.#savedNumber) await this.#saveNewest()
    })
  }

  async #saveNewest (): Promise<void> {
    const number = this.#newestNumber
    try {
      await replaceFile(this.path, this.#newest ?? new Uint8Array())
    } catch (cause) {
      throw new PcikitError(
        'PCIKIT_BLOCK_UNAVAILABLE',
        `The zone state file ${this.path} could not be written, so write pointers would not survive. Make room, or ` +
          'give another path.',
        { cause, details: { path: this.path } }
      )
    }
    this.#savedNumber = number
    if (number === this.#newestNumber) this.#newest = undefined
  }
}

/** A reader sees the old file or the new one, whenever the power goes. */
async function replaceFile (path: string, bytes: Uint8Array): Promise<void> {
  const next = `${path}.new`
  const file = await open(next, 'w')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
