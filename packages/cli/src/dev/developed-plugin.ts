import { DEVICE, PcikitError } from '@pcikit/core'
import type { DeviceContribution, Plugin } from '@pcikit/core'

/** What `pcikit dev` is to develop, found before the command line is parsed: its device decides what can be parsed. */
export interface DevTarget {
  /** The path or the name of the plugin. */
  readonly plugin: string
  /** The device type, where one was named. */
  readonly type: string | undefined
}

/** Finds the first word after `dev`, and `--type NAME`. */
export function findDevTarget (words: readonly string[]): DevTarget | undefined {
  const [command, plugin] = words
  if (command !== 'dev' || plugin === undefined || plugin.startsWith('-')) return undefined
  const at = words.indexOf('--type')
  const joined = words.find(word => word.startsWith('--type='))
  return { plugin, type: at < 0 ? joined?.slice('--type='.length) : words[at + 1] }
}

/** The device type to develop. Throws PCIKIT_OPTION_INVALID where that is not clear. */
export function chooseDeviceType (plugin: Plugin, type: string | undefined): DeviceContribution {
  const devices = plugin.contributes.filter(({ point }) => point.id === DEVICE.id)
    .map(({ value }) => value as DeviceContribution)
  const found = type === undefined ? devices : devices.filter(({ name }) => name === type)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const names = devices.map(({ name }) => name).join(', ')
  throw new PcikitError(
    'PCIKIT_OPTION_INVALID',
    devices.length === 0 ?
      `${plugin.name} contributes no device type, and there is nothing else that \`pcikit dev\` can serve.` :
      type === undefined ?
      `${plugin.name} contributes several device types: ${names}. Say which one with --type.` :
      `${plugin.name} contributes no device type '${type}'. It has: ${names}.`,
    { details: { plugin: plugin.name, available: devices.map(({ name }) => name) } }
  )
}

/** Plugins with the one under development in the place of those that it stands for. */
export function replacePlugin (plugins: readonly Plugin[], developed: Plugin): readonly Plugin[] {
  const keysOf = ({ contributes }: Plugin): readonly string[] =>
    contributes.map(({ point, value }) => `${point.id} ${value.name}`)
  const own = keysOf(developed)
  const others = plugins.filter(plugin =>
    plugin.name !== developed.name && !keysOf(plugin).some(key => own.includes(key))
  )
  return [...others, developed]
}
