import { isPcikitError, PcikitError } from '../errors.js'
import { DEVICE, DMA_MANAGER, isPlugin, PLUGIN_API_VERSION, SERVICE, TRANSPORT } from '../plugin.js'
import type { Contribution, Plugin } from '../plugin.js'

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
/** Points whose contributions are built with options of their own. */
const WITH_OPTIONS: readonly string[] = [DEVICE.id, TRANSPORT.id, DMA_MANAGER.id]

/** The name of a plugin, and where it is from, as messages have it. */
export function describePlugin ({ name, origin }: Plugin): string {
  if (origin === undefined) return name
  return `${name} (${origin.version === undefined ? '' : `${origin.version}, `}${origin.file})`
}

/**
 * Throws unless a value is a plugin that this host can take: PCIKIT_PLUGIN_API_VERSION_MISMATCH where it was built for
 * another version of the plugin API, else PCIKIT_PLUGIN_INVALID.
 */
export function assertUsable (plugin: unknown): asserts plugin is Plugin {
  if (!isPlugin(plugin)) {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      'Something in the list of plugins is not a plugin. ' +
        'A plugin is what definePlugin() returns; its package exports it as default.'
    )
  }
  try {
    checkVersion(plugin)
    for (const contribution of plugin.contributes) checkContribution(plugin, contribution)
  } catch (error) {
    if (isPcikitError(error)) throw error
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `${
        describePlugin(plugin)
      } throws when it is looked at. A plugin is plain data, and \`contributes\` is a list of ` +
        'what contribute() returns. Its own message is the cause.',
      { cause: error, details: { plugin: plugin.name } }
    )
  }
}

function checkVersion (plugin: Plugin): void {
  const { name, api } = plugin
  if (api === PLUGIN_API_VERSION) return
  const isNewer = typeof api === 'number' && api > PLUGIN_API_VERSION
  const remedy = isNewer ?
    `The plugin is ahead: update @pcikit/core, or the program that brings it; or install an earlier ${name}.` :
    `The plugin is behind: install a newer ${name}, or ask its author for one that was built with this @pcikit/core.`
  throw new PcikitError(
    'PCIKIT_PLUGIN_API_VERSION_MISMATCH',
    `${describePlugin(plugin)} was built for version ${String(api)} of the plugin API, and this @pcikit/core has ` +
      `version ${PLUGIN_API_VERSION}. ${remedy}`,
    { details: { plugin: name, expected: PLUGIN_API_VERSION, actual: api } }
  )
}

function checkContribution (plugin: Plugin, { point, value }: Contribution): void {
  const refuse = (what: string): never => {
    throw new PcikitError('PCIKIT_PLUGIN_INVALID', `${describePlugin(plugin)} contributes a ${point.noun} ${what}`, {
      details: { plugin: plugin.name, point: point.id, name: value.name }
    })
  }
  if (typeof value.name !== 'string' || !NAME.test(value.name)) {
    refuse(
      `named '${String(value.name)}'. ` +
        'A name has lower-case letters, digits and single dashes, and starts with a letter.'
    )
  }
  if (point.id !== SERVICE.id && !WITH_OPTIONS.includes(point.id)) return
  const { provider, options } = value as { readonly provider?: unknown, readonly options?: unknown }
  if (!isProvider(provider)) {
    refuse(`'${value.name}' that cannot be built: its \`provider\` has neither \`useFactory\` nor \`useClass\`.`)
  }
  if (WITH_OPTIONS.includes(point.id) && !isSchema(options)) {
    refuse(`'${value.name}' whose \`options\` are no schema. Use one that follows Standard Schema 1, such as zod's.`)
  }
}

function isProvider (provider: unknown): boolean {
  if (typeof provider !== 'object' || provider === null) return false
  return ['useFactory', 'useClass'].some(key => typeof (provider as Record<string, unknown>)[key] === 'function')
}

/** Schemas of some libraries are functions. */
function isSchema (options: unknown): boolean {
  if (typeof options !== 'object' && typeof options !== 'function' || options === null) return false
  const standard = (options as { readonly '~standard'?: { readonly validate?: unknown } })['~standard']
  return typeof standard?.validate === 'function'
}
