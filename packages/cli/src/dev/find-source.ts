import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { PcikitError } from '@pcikit/core'

/** Where the source of a plugin is. */
export interface PluginSource {
  /** The module that exports the plugin. */
  readonly entry: string
  /** The package that it is part of, or the folder that it is in: what it imports is found from there. */
  readonly folder: string
}

interface Manifest {
  readonly exports?: unknown
  readonly main?: unknown
  readonly source?: unknown
}

/** Conditions of `exports` that mean a source. */
const SOURCE_CONDITIONS = ['source', 'development']
/** Conditions of `exports` that mean what was built. */
const BUILT_CONDITIONS: readonly string[] = 'node import module-sync default'.split(' ')

/**
 * Finds the source of a plugin: by the path of a module, by the folder of its package, or by the name of a package that
 * an application in `from` sees. Throws PCIKIT_PLUGIN_NOT_FOUND.
 */
export function findSource (target: string, from: string): PluginSource {
  const path = resolve(from, target)
  if (existsSync(path) && statSync(path).isFile()) {
    const entry = realpathSync(path)
    return { entry, folder: enclosingPackage(dirname(entry)) ?? dirname(entry) }
  }
  const folder = findFolder(target, path, from)
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  const named = candidates(manifest).map(file => resolve(folder, file))
  const entry = named.find(existsSync)
  if (entry !== undefined) return { entry, folder }
  throw new PcikitError(
    'PCIKIT_PLUGIN_NOT_FOUND',
    `The source of the package in ${folder} cannot be found. ` +
      (named.length === 0 ? 'Its package.json names no module. ' : `There is no ${named.join(' and no ')}. `) +
      'Give the path of the module that exports the plugin, or name it as `source` in the package.json.',
    { details: { target, from } }
  )
}

function findFolder (target: string, path: string, from: string): string {
  const installed = (createRequire(join(from, 'package.json')).resolve.paths(target) ?? [])
    .map(folder => join(folder, target))
  const folder = [path, ...installed].find(each => existsSync(join(each, 'package.json')))
  if (folder !== undefined) return realpathSync(folder)
  throw new PcikitError(
    'PCIKIT_PLUGIN_NOT_FOUND',
    `There is no plugin '${target}': ${path} is neither a module nor a folder with a package.json, and no package of ` +
      `that name is installed in ${from}. Give the path of a module or of the folder of a package.`,
    { details: { target, from } }
  )
}

/** Files that may be the source, the likeliest first. */
function candidates ({ exports, main, source }: Manifest): readonly string[] {
  const own = exportsOf(exports)
  const built = pick(own, BUILT_CONDITIONS) ?? (typeof main === 'string' ? main : undefined)
  const files = [pick(own, SOURCE_CONDITIONS), typeof source === 'string' ? source : undefined]
  if (built !== undefined) {
    files.push(...['.ts', '.mts'].map(ending => join('src', basename(built).replace(/\.[cm]?js$/, ending))))
    files.push(built)
  }
  return files.filter(file => file !== undefined)
}

/** What `exports` has for the package itself. */
function exportsOf (exports: unknown): unknown {
  return typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports
}

function pick (target: unknown, conditions: readonly string[]): string | undefined {
  if (typeof target === 'string') return conditions === BUILT_CONDITIONS ? target : undefined
  if (typeof target !== 'object' || target === null) return undefined
  for (const [condition, value] of Object.entries(target)) {
    if (!conditions.includes(condition)) continue
    const found = typeof value === 'string' ? value : pick(value, conditions)
    if (found !== undefined) return found
  }
  return undefined
}

function enclosingPackage (folder: string): string | undefined {
  if (existsSync(join(folder, 'package.json'))) return folder
  return folder === dirname(folder) ? undefined : enclosingPackage(dirname(folder))
}
