import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'

/** Both ends of a new named pipe in a folder: what is read from it waits until something is written. */
export function openPipe (folder: string): { readonly reader: number, readonly writer: number } {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  // Opened for both, the first end waits for nobody.
  const both = openSync(pipe, constants.O_RDWR)
  const ends = { reader: openSync(pipe, 'r'), writer: openSync(pipe, 'w') }
  closeSync(both)
  return ends
}
