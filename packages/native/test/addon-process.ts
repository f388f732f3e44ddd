import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const require = createRequire(import.meta.url)
const finder = require('node-gyp-build') as { path(folder: string): string }

/** The binary that the package loads. */
export const addonPath = finder.path(fileURLToPath(new URL('..', import.meta.url)))

/** How a process ended, and what it printed. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
}

/** Runs CommonJS code in a Node process of its own, where `native` is the addon's exports and `fs` is node:fs. */
export function runWithAddon (code: string): Promise<ProcessEnd> {
  const prelude = `const native = require(${JSON.stringify(addonPath)}), fs = require('node:fs');`
  return new Promise(resolve => {
    const child = execFile(process.execPath, ['--expose-gc', '-e', prelude + code], (_error, stdout) => {
      resolve({ code: child.exitCode, signal: child.signalCode, output: stdout })
    })
  })
}
