import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is gone after the test. */
export interface ScratchFolder {
  /** The path of a name in it. */
  path(name: string): string
  /** Makes a sparse file and returns its path. */
  file(name: string, byteLength: number): Promise<string>
  remove(): Promise<void>
}

export async function createScratchFolder (parent = tmpdir()): Promise<ScratchFolder> {
  const folder = await mkdtemp(join(parent, 'pcikit-block-'))
  const path = (name: string): string => join(folder, name)
  return {
    path,
    async file (name, byteLength) {
      await writeFile(path(name), '')
      await truncate(path(name), byteLength)
      return path(name)
    },
    remove: () => rm(folder, { recursive: true, force: true })
  }
}
