import type { Device } from '../device.js'
import { PcikitError } from '../errors.js'
import type { ExtensionPoint, NamedContribution, OwnedContribution, ServiceContribution } from '../plugin.js'
import { OPTIONS } from '../tokens.js'
import { explainFailure } from './explain-failure.js'
import { parseOptions } from './parse-options.js'
import type { Scope } from './scope.js'

/** Builds a contribution in a scope of its own, so that its options are seen by nobody else. */
export async function buildContribution<T> (
  scope: Scope,
  point: ExtensionPoint<ServiceContribution<T>>,
  contribution: OwnedContribution<ServiceContribution<T>>,
  options: Readonly<Record<string, unknown>> = {}
): Promise<T> {
  const { value, plugin } = contribution
  const parsed = await parseOptions(`the ${point.noun} '${value.name}'`, value.options, options)
  const own = scope.child(`the ${point.noun} '${value.name}' of ${plugin}`)
  own.setValue<unknown>(OPTIONS, parsed)
  return attemptFor(point, contribution, 'was built', () => {
    return own.build(`The ${point.noun} '${value.name}' of ${plugin}`, value.provider)
  })
}

/** Runs code of a plugin. What it throws says whose it is. */
export async function attemptFor<T, C extends NamedContribution> (
  point: ExtensionPoint<C>,
  { value, plugin }: OwnedContribution<C>,
  when: string,
  action: () => T | Promise<T>
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw explainFailure(
      error,
      'PCIKIT_DEVICE_FAILED',
      `The ${point.noun} '${value.name}' of ${plugin} threw when it ${when}.`
    )
  }
}

/** Starts a device that was built. Throws PCIKIT_DEVICE_FAILED where it has no function then. */
export async function startDevice (name: string, device: Device): Promise<void> {
  await device.start?.()
  if (typeof device.function !== 'object') {
    throw new PcikitError(
      'PCIKIT_DEVICE_FAILED',
      `The device '${name}' has no PCI function once it started. A Device sets \`function\` in its constructor or start().`
    )
  }
}
