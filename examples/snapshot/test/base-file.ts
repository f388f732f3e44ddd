import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file in a folder of its own. */
export interface BaseFile extends Disposable {
  readonly path: string
}

/** Makes a file with these contents. */
export function createBaseFile (contents: Uint8Array): BaseFile {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-snapshot-'))
  const path = join(folder, 'disk.img')
  writeFileSync(path, contents)
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}
