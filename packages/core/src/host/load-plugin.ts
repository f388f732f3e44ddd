import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PcikitError } from '../errors.js'
import { isPlugin } from '../plugin.js'
import type { Plugin } from '../plugin.js'

/** Whose plugins are meant. */
export interface LoadPluginOptions {
  /** The folder of the application that names the plugin. It is resolved from there, not from this package. */
  readonly from: string
}

/**
 * Imports a plugin by package name or by path (one that starts with `.` or `/`).
 * Throws PCIKIT_PLUGIN_NOT_FOUND where there is none, PCIKIT_PLUGIN_INVALID where its default export is no plugin.
 */
export async function loadPlugin (specifier: string, options: LoadPluginOptions): Promise<Plugin> {
  const from = resolve(options.from)
  const file = find(specifier, from)
  let exported: { readonly default?: unknown }
  try {
    exported = await import(pathToFileURL(file).href) as { readonly default?: unknown }
  } catch (error) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `The plugin '${specifier}' was found, but it throws when it is imported. Its own message is the cause below.`,
      { cause: error, details: { specifier } }
    )
  }
  if (!isPlugin(exported.default)) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `'${specifier}' is not a plugin: its default export was not made by definePlugin() of @pcikit/core. ` +
        'Check that it is the package that you mean.',
      { details: { specifier } }
    )
  }
  return exported.default
}

function find (specifier: string, from: string): string {
  try {
    return createRequire(join(from, 'package.json')).resolve(specifier)
  } catch (error) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_NOT_FOUND',
      `The plugin '${specifier}' cannot be found from ${from}. Install it there, or give a path that starts with ./`,
      { cause: error, details: { specifier, from } }
    )
  }
}
