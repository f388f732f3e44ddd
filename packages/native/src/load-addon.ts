import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NativeBinding } from './binding.js'

const require = createRequire(import.meta.url)

/** `node-gyp-build` as this file uses it: it finds the binary for this platform, C library and Node. */
interface BuildFinder {
  path(folder: string): string
}

/**
 * What is thrown when the addon cannot be loaded. It carries the same mark and fields as core's `PcikitError`, which
 * this package does not depend on.
 */
class NativeUnavailableError extends Error {
  readonly code = 'PCIKIT_NATIVE_UNAVAILABLE'
  readonly details: Readonly<Record<string, unknown>>

  constructor (message: string, details: Record<string, unknown>, cause: unknown) {
    super(message, { cause })
    this.name = 'PcikitError'
    this.details = details
    Object.defineProperty(this, Symbol.for('@pcikit/error'), { value: true })
  }
}

/** Where a binary may be, and what is there. */
function candidatePaths (packageFolder: string): string[] {
  const folders = ['build/Release', 'build/Debug', `prebuilds/${process.platform}-${process.arch}`]
  return folders.flatMap(name => {
    const folder = join(packageFolder, name)
    if (!existsSync(folder)) return [`${folder} (no such folder)`]
    const binaries = readdirSync(folder).filter(file => file.endsWith('.node'))
    return binaries.length === 0 ? [`${folder} (no .node file in it)`] : binaries.map(file => join(folder, file))
  })
}

function unavailable (packageFolder: string, cause: unknown): NativeUnavailableError {
  const tried = candidatePaths(packageFolder)
  const target = `${process.platform}-${process.arch}, Node ${process.versions.node}`
  const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
  const message = [
    `The native addon of @pcikit/native could not be loaded on ${target}: ${reason}`,
    'It was looked for in:',
    ...tried.map(path => `  ${path}`),
    'The published package brings binaries for Linux on x64 and arm64, with glibc and with musl. Elsewhere it must be ' +
    'built: install g++, make and python3 (Debian: apt-get install g++ make python3), then run "npm run setup" in a ' +
    `clone of the repository, or "npx node-gyp rebuild" in ${
      join(packageFolder, 'src/addon')
    }, and move what it made ` +
    `from there to ${join(packageFolder, 'build/Release')}.`
  ].join('\n')
  return new NativeUnavailableError(message, { tried, platform: process.platform, arch: process.arch }, cause)
}

/**
 * Loads the binary that belongs to a folder with a `build` or a `prebuilds` folder in it. Throws an error with the code
 * `PCIKIT_NATIVE_UNAVAILABLE` that says where it looked, why that failed and what to do.
 */
export function loadAddon (packageFolder: string): NativeBinding {
  try {
    const finder = require('node-gyp-build') as BuildFinder
    return require(finder.path(packageFolder)) as NativeBinding
  } catch (error) {
    throw unavailable(packageFolder, error)
  }
}

// The binary is loaded when it is first used, so that a program can import this package and still print its help where
// the binary is missing. Node keeps one instance for each thread, and so does this variable.
let loaded: NativeBinding | undefined

/** The addon's exports. Throws as `loadAddon` does. */
export function addon (): NativeBinding {
  loaded ??= loadAddon(fileURLToPath(new URL('..', import.meta.url)))
  return loaded
}
