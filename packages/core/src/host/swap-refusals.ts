import { PcikitError } from '../errors.js'
import { DEVICE } from '../plugin.js'
import type { DeviceContribution, OwnedContribution, Plugin } from '../plugin.js'
import { assertUsable, describePlugin } from './check-plugin.js'

/** What a plugin has for a device of a type. Throws what is wrong with the plugin, or PCIKIT_EXTENSION_NOT_FOUND. */
export function deviceTypeOf (plugin: Plugin, type: string): OwnedContribution<DeviceContribution> {
  assertUsable(plugin)
  const devices = plugin.contributes.filter(({ point }) => point.id === DEVICE.id).map(({ value }) => value)
  const value = devices.find(({ name }) => name === type)
  if (value !== undefined) return { value: value as DeviceContribution, plugin: plugin.name }
  const names = devices.map(({ name }) => name)
  throw new PcikitError(
    'PCIKIT_EXTENSION_NOT_FOUND',
    `${describePlugin(plugin)} has no device type '${type}' any more, so the old code goes on. ` +
      (names.length > 0 ? `It has: ${names.join(', ')}. ` : 'It has none. ') +
      'Give the type the name that it had, or start again with the new one.',
    { details: { plugin: plugin.name, name: type, available: names } }
  )
}

export function refuseClosed (device: string): PcikitError {
  return new PcikitError(
    'PCIKIT_HOST_CLOSED',
    `The device '${device}' was closed, so its code cannot be exchanged. Make a new one with createDevice().`
  )
}

/** A client learns what the function is when it attaches, and cannot be told of another one. */
export function refuseShape (device: string, differences: readonly string[]): PcikitError {
  return new PcikitError(
    'PCIKIT_SWAP_SHAPE_DIFFERS',
    `The new code of '${device}' describes another PCI function than the one that the guest has: ` +
      `${differences.join('; ')}. A guest learns that only when a device is attached, so the old code goes on. ` +
      'Detach the device from the guest, and the new code can take its place.',
    { details: { device, differences } }
  )
}

/** `became` is what the device is now. */
export function swapFailure (
  device: string,
  errors: readonly unknown[],
  became: 'as it was' | 'reset' | 'off its bus'
): PcikitError {
  const endings = {
    'as it was': 'The old code goes on where it was.',
    'reset': 'The old code goes on, as after power-on, since it saves no state.',
    'off its bus':
      'The old code did not start again either, so the device is off its bus: its registers read as ones. ' +
      'What was saved of it is kept for the next code.'
  }
  const [first] = errors
  return new PcikitError(
    'PCIKIT_SWAP_FAILED',
    `The new code of '${device}' failed when it took the place of the old one. ${endings[became]} ` +
      'Correct the new code and swap again. What it threw is the cause.',
    { cause: errors.length === 1 ? first : new AggregateError(errors), details: { device, became } }
  )
}
