import { DEVICE } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import { describeOptions } from './device-options.js'
import type { DeviceOption } from './device-options.js'

/** What `pcikit devices` prints: every device type and plugin, or one device type with its options. */
export function showDevices (plugins: readonly Plugin[], type: string | undefined): string {
  const { extensions } = createHost({ plugins })
  if (type === undefined) {
    const rows = extensions.list(DEVICE).map(each => [each.value.name, each.value.summary, each.plugin])
    const devices = table([['DEVICE', 'WHAT IT IS', 'FROM'], ...rows])
    return `${devices}\n${table([['PLUGIN', 'VERSION', 'WHAT IT BRINGS', 'LOADED FROM'], ...plugins.map(pluginRow)])}`
  }
  const { value, plugin } = extensions.get(DEVICE, type)
  const owner = plugins.find(({ name }) => name === plugin)
  const origin = owner?.origin === undefined ? '' : `, ${placeOf(owner)}`
  const options = describeOptions(value.options)
  return `${value.name}: ${value.summary}\nFrom ${plugin}${origin}\n\n${table(options.map(rowOf))}`
}

function pluginRow (plugin: Plugin): readonly string[] {
  const brings = plugin.contributes.map(({ point, value }) => `${point.noun} ${value.name}`)
  return [plugin.name, plugin.origin?.version ?? '', brings.join(', '), placeOf(plugin)]
}

function placeOf ({ origin }: Plugin): string {
  return origin?.file ?? 'built in'
}

function rowOf (option: DeviceOption): readonly string[] {
  return [`--${option.flag}${valueOf(option)}`, describeOption(option)]
}

/** Choices that are longer than this stand with what the option means. */
const PLACEHOLDER_CHARACTERS_MAX = 40

/** The placeholder behind an option's name. */
export function valueOf (option: DeviceOption): string {
  if (option.kind === 'boolean') return ''
  if (option.choices.length > 0) return hasManyChoices(option) ? ' NAME' : ` ${option.choices.join('|')}`
  return option.kind === 'number' ? ' N' : option.isBackend ? ' SPEC' : ' TEXT'
}

/** What an option means, with its default. */
export function describeOption (option: DeviceOption): string {
  const notes = [
    hasManyChoices(option) ? `one of ${option.choices.join(', ')}` : '',
    option.isList ? 'can be given several times' : '',
    option.isRequired ? 'required' : '',
    option.defaultValue === undefined || option.defaultValue === '' ?
      '' :
      `default: ${showDefault(option.defaultValue)}`
  ].filter(note => note !== '')
  return `${option.description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`
}

function hasManyChoices ({ choices }: DeviceOption): boolean {
  return choices.join('|').length > PLACEHOLDER_CHARACTERS_MAX
}

function showDefault (value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function table (rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map(row => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
  return `${lines.join('\n')}\n`
}
