import { assert, PcikitError } from '../errors.js'
import type { ExtensionPoint, Extensions, NamedContribution, OwnedContribution, Plugin } from '../plugin.js'
import { assertUsable, describePlugin } from './check-plugin.js'

/** Holds what the plugins of one host contributed. A plugin is checked as a whole before anything of it is taken. */
export class ExtensionRegistry implements Extensions {
  readonly #plugins = new Map<string, Plugin>()
  readonly #points = new Map<string, Map<string, OwnedContribution<NamedContribution>>>()

  /** The names of the registered plugins, in order. */
  get plugins (): readonly string[] {
    return [...this.#plugins.keys()]
  }

  /** A registered plugin by its name. */
  plugin (name: string): Plugin {
    const plugin = this.#plugins.get(name)
    assert(plugin !== undefined, `${name} is registered`)
    return plugin
  }

  register (plugin: Plugin): void {
    assertUsable(plugin)
    this.#checkOwners(plugin)
    this.#plugins.set(plugin.name, plugin)
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

  /** Nothing has two owners. */
  #checkOwners (plugin: Plugin): void {
    const other = this.#plugins.get(plugin.name)
    if (other !== undefined) {
      const origins = [other, plugin].map(({ origin }) => origin?.file ?? 'the program itself')
      const places = origins[0] === origins[1] ? '' : `, as ${origins.join(' and as ')}`
      throw new PcikitError(
        'PCIKIT_PLUGIN_DUPLICATE',
        `${plugin.name} is in the list of plugins twice${places}. Remove one.`,
        { details: { plugin: plugin.name, origins } }
      )
    }
    const seen = new Set<string>()
    for (const { point, value } of plugin.contributes) {
      const key = `${point.id} ${value.name}`
      const owner = seen.has(key) ? plugin.name : this.#points.get(point.id)?.get(value.name)?.plugin
      if (owner !== undefined) {
        const named = describePlugin(this.#plugins.get(owner) ?? plugin)
        throw new PcikitError(
          'PCIKIT_EXTENSION_DUPLICATE',
          `${describePlugin(plugin)} contributes the ${point.noun} '${value.name}', which ${named} contributes ` +
            'already. Register only one of them.',
          { details: { point: point.id, name: value.name, owners: [owner, plugin.name] } }
        )
      }
      seen.add(key)
    }
  }
}
