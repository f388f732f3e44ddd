import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'

/** What of a package.json is of interest here. */
export interface PackageManifest {
  readonly name?: string
  readonly version?: string
  readonly keywords?: readonly string[]
  readonly exports?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  /** Marks a plugin, like the keyword `pcikit-plugin`. */
  readonly pcikit?: unknown
}

/** A package, and the folder it is in. */
export interface PackageFolder {
  readonly folder: string
  readonly manifest: PackageManifest
}

/** What an `import` takes of `exports`; the order is the package's. */
const CONDITIONS: readonly string[] = 'node import module-sync default'.split(' ')

/** The file that an application's `import` of a package or path gets. Throws what Node does where there is none. */
export function findModule (specifier: string, from: string): string {
  try {
    return createRequire(join(from, 'package.json')).resolve(specifier)
  } catch (error) {
    // Node tells other modules where an import leads, and not a program that asks on behalf of a folder.
    const imported = findImported(specifier, from)
    if (imported === undefined) throw error
    return imported
  }
}

/** The package of that name which an application sees, if it is installed. Throws SyntaxError for a broken manifest. */
export function findPackage (name: string, from: string): PackageFolder | undefined {
  const folders = createRequire(join(from, 'package.json')).resolve.paths(name) ?? []
  for (const each of folders) {
    const found = packageAt(join(each, name))
    if (found !== undefined) return found
  }
  return undefined
}

/** The package that a folder is part of. Throws SyntaxError for a broken manifest. */
export function enclosingPackage (folder: string): PackageFolder | undefined {
  // A package.json without a name only says of what kind the modules of its folder are.
  const found = packageAt(folder)
  if (found?.manifest.name !== undefined) return found
  return folder === dirname(folder) ? undefined : enclosingPackage(dirname(folder))
}

/** Packages that can be imported and not required, what `exports` has for `import` alone; and folders of packages. */
function findImported (specifier: string, from: string): string | undefined {
  const [, name, path] = /^((?:@[^/]+\/)?[^./@][^/]*)(\/.*)?$/.exec(specifier) ?? []
  const found = name === undefined ? packageAt(resolve(from, specifier)) : findPackage(name, from)
  if (found === undefined) return undefined
  const target = exportedTarget(found.manifest.exports, `.${path ?? ''}`)
  const file = target === undefined ? undefined : join(found.folder, target)
  return file !== undefined && existsSync(file) ? file : undefined
}

function packageAt (folder: string): PackageFolder | undefined {
  return existsSync(join(folder, 'package.json')) ? { folder, manifest: readManifest(folder) } : undefined
}

/** What `exports` has for a subpath. Patterns are left out: a plugin has one module. */
function exportedTarget (exports: unknown, subpath: string): string | undefined {
  if (typeof exports === 'string') return subpath === '.' ? exports : undefined
  if (typeof exports !== 'object' || exports === null) return undefined
  const entries = Object.entries(exports)
  if (entries.some(([key]) => key.startsWith('.'))) {
    const [, value] = entries.find(([key]) => key === subpath) ?? []
    return exportedTarget(value, '.')
  }
  for (const [condition, value] of subpath === '.' ? entries : []) {
    const target = CONDITIONS.includes(condition) ? exportedTarget(value, '.') : undefined
    if (target !== undefined) return target
  }
  return undefined
}

function readManifest (folder: string): PackageManifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageManifest
}
