import { PcikitError } from '../errors.js'
import { isPlugin, PLUGIN_API_VERSION } from '../plugin.js'
import type { ExtensionPoint, Extensions, NamedContribution, OwnedContribution, Plugin } from '../plugin.js'

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** Holds what the plugins of one host contributed. A plugin is checked as a whole before anything of it is taken. */
export class ExtensionRegistry implements Extensions {
  readonly #plugins = new Set<string>()
  readonly #points = new Map<string, Map<string, OwnedContribution<NamedContribution>>>()

  /** The names of the registered plugins, in order. */
  get plugins (): readonly string[] {
    return [...this.#plugins]
  }

  register (plugin: Plugin): void {
    this.#check(plugin)
    this.#plugins.add(plugin.name)
    for (const { point, value } of plugin.contributes) {
      const values = this.#points.get(point.id) ?? new Map<string, OwnedContribution<NamedContribution>>()
      this.#points.set(point.id, values.set(value.name, { value, plugin: plugin.name }))
    }
  }

  list<C extends NamedContribution> (point: ExtensionPoint<C>): readonly OwnedContribution<C>[] {
    return [...(this.#points.get(point.id)?.values() ?? [])] as OwnedContribution<C>[]
  }

  get<C extends NamedContribution> (point: ExtensionPoint<C>, name: string): OwnedContribution<C> {
    const found = this.#points.get(point.id)?.get(name)
    if (found !== undefined) return found as OwnedContribution<C>
    const names = this.list(point).map(each => each.value.name)
    throw new PcikitError(
      'PCIKIT_EXTENSION_NOT_FOUND',
      `There is no ${point.noun} '${name}'. ` +
        (names.length > 0 ? `There is: ${names.join(', ')}. ` : `No registered plugin contributes a ${point.noun}. `) +
        'Check the spelling, or register the plugin that contributes it.',
      { details: { point: point.id, name, available: names } }
    )
  }

  #check (plugin: unknown): asserts plugin is Plugin {
    if (!isPlugin(plugin)) {
      throw new PcikitError(
        'PCIKIT_PLUGIN_INVALID',
        'Something in the list of plugins is not a plugin. ' +
          'A plugin is what definePlugin() returns; its package exports it as default.'
      )
    }
    if (plugin.api !== PLUGIN_API_VERSION) {
      throw new PcikitError(
        'PCIKIT_PLUGIN_API_VERSION_MISMATCH',
        `${plugin.name} was built for version ${String(plugin.api)} of the plugin API, and this @pcikit/core has ` +
          `version ${PLUGIN_API_VERSION}. Install a version of ${plugin.name} that fits, or another @pcikit/core.`,
        { details: { plugin: plugin.name, expected: PLUGIN_API_VERSION, actual: plugin.api } }
      )
    }
    if (this.#plugins.has(plugin.name)) {
      throw new PcikitError(
        'PCIKIT_PLUGIN_DUPLICATE',
        `${plugin.name} is in the list of plugins twice. Remove one.`,
        { details: { plugin: plugin.name } }
      )
    }
    this.#checkContributions(plugin)
  }

  #checkContributions (plugin: Plugin): void {
    const seen = new Set<string>()
    for (const { point, value } of plugin.contributes) {
      if (typeof value.name !== 'string' || !NAME.test(value.name)) {
        throw new PcikitError(
          'PCIKIT_PLUGIN_INVALID',
          `${plugin.name} contributes a ${point.noun} named '${String(value.name)}'. ` +
            'A name has lower-case letters, digits and single dashes, and starts with a letter.'
        )
      }
      const key = `${point.id} ${value.name}`
      const owner = seen.has(key) ? plugin.name : this.#points.get(point.id)?.get(value.name)?.plugin
      if (owner !== undefined) {
        throw new PcikitError(
          'PCIKIT_EXTENSION_DUPLICATE',
          `${plugin.name} contributes the ${point.noun} '${value.name}', which ${owner} contributes already. ` +
            'Register only one of them.',
          { details: { point: point.id, name: value.name, owners: [owner, plugin.name] } }
        )
      }
      seen.add(key)
    }
  }
}
