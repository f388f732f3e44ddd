import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PcikitError } from '../errors.js'
import { isPlugin } from '../plugin.js'
import type { Plugin, PluginOrigin } from '../plugin.js'
import { assertUsable } from './check-plugin.js'
import { enclosingPackage, findModule, findPackage } from './find-module.js'

/** Whose plugins are meant. */
export interface LoadPluginOptions {
  /** The folder of the application that names the plugin. It is resolved from there, not from this package. */
  readonly from: string
}

/**
 * Imports a plugin by package name or by path (one that starts with `.` or `/`), and notes where it was.
 * Throws PCIKIT_PLUGIN_NOT_FOUND where there is none, PCIKIT_PLUGIN_INVALID where its default export is no plugin, and
 * PCIKIT_PLUGIN_API_VERSION_MISMATCH where it was built for another version of the plugin API.
 */
export async function loadPlugin (specifier: string, options: LoadPluginOptions): Promise<Plugin> {
  const file = find(specifier, resolve(options.from))
  let exported: { readonly default?: unknown }
  try {
    exported = await import(pathToFileURL(file).href) as { readonly default?: unknown }
  } catch (error) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `The plugin '${specifier}' was found, but it throws when it is imported. Its own message is the cause below.`,
      { cause: error, details: { specifier, file } }
    )
  }
  if (!isPlugin(exported.default)) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `'${specifier}' is not a plugin: its default export was not made by definePlugin() of @pcikit/core. ` +
        'Check that it is the package that you mean.',
      { details: { specifier, file } }
    )
  }
  const plugin: Plugin = Object.freeze({ ...exported.default, origin: originOf(file) })
  assertUsable(plugin)
  return plugin
}

function find (specifier: string, from: string): string {
  try {
    return findModule(specifier, from)
  } catch (error) {
    const isPath = /^[./]/.test(specifier)
    const installed = isPath ? undefined : findPackage(specifier, from)
    throw new PcikitError(
      'PCIKIT_PLUGIN_NOT_FOUND',
      installed === undefined ?
        `The plugin '${specifier}' cannot be found from ${from}. Install it there, or give a path that starts with ./` :
        `The package '${specifier}' is in ${installed.folder}, but what it exports is not there. ` +
        'Build it where that is its source, or install it anew.',
      { cause: error, details: { specifier, from } }
    )
  }
}

function originOf (file: string): PluginOrigin {
  const { version } = enclosingPackage(dirname(file))?.manifest ?? {}
  return { file, ...(version === undefined ? {} : { version }) }
}
