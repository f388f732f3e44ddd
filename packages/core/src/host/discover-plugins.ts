import { resolve } from 'node:path'
import { isPcikitError, PcikitError } from '../errors.js'
import type { Plugin } from '../plugin.js'
import { enclosingPackage, findPackage } from './find-module.js'
import type { PackageFolder } from './find-module.js'
import { loadPlugin } from './load-plugin.js'
import type { LoadPluginOptions } from './load-plugin.js'

/** What packages of plugins have among their keywords. */
const KEYWORD = 'pcikit-plugin'

/** A plugin that cannot be used, and why. */
export interface PluginRefusal {
  /** The name of its package. */
  readonly name: string
  readonly error: PcikitError
}

/** What {@link discoverPlugins} found. */
export interface Discovery {
  /** By the names of their packages. */
  readonly plugins: readonly Plugin[]
  readonly refusals: readonly PluginRefusal[]
}

/**
 * Loads every plugin among the dependencies of an application: those in its own package.json that are installed and
 * have the keyword `pcikit-plugin`, or a field `pcikit`, in theirs. Dependencies of dependencies are left alone. One
 * that cannot be loaded does not hold up the others. Throws PCIKIT_PLUGIN_NOT_FOUND where there is no application.
 */
export async function discoverPlugins (options: LoadPluginOptions): Promise<Discovery> {
  const application = findApplication(resolve(options.from))
  const { dependencies, devDependencies, optionalDependencies } = application.manifest
  const names = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies }).sort()
  const plugins: Plugin[] = []
  const refusals: PluginRefusal[] = []
  for (const name of names) {
    try {
      if (isMarked(name, application.folder)) plugins.push(await loadPlugin(name, { from: application.folder }))
    } catch (error) {
      if (!isPcikitError(error)) throw error
      refusals.push({ name, error })
    }
  }
  return { plugins, refusals }
}

function findApplication (from: string): PackageFolder {
  const application = readable(from, () => enclosingPackage(from))
  if (application !== undefined) return application
  throw new PcikitError(
    'PCIKIT_PLUGIN_NOT_FOUND',
    `Plugins are looked for among the dependencies of an application, and ${from} is not in one: neither it nor a ` +
      'folder around it has a package.json with a name. Go to the folder of the application, or name the plugins.',
    { details: { from } }
  )
}

function isMarked (name: string, from: string): boolean {
  const { keywords, pcikit } = readable(name, () => findPackage(name, from))?.manifest ?? {}
  return pcikit !== undefined || Array.isArray(keywords) && keywords.includes(KEYWORD)
}

function readable<T> (what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_NOT_FOUND',
      `The package.json of ${what} cannot be read. Install it anew, or correct it where it is your own.`,
      { cause: error, details: { package: what } }
    )
  }
}
