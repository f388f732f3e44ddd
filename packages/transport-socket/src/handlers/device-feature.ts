import { Errno, ProtocolError } from '@pcikit/core'
import { DeviceFeatureFlags, DeviceFeatureLayout } from '../layouts/device-feature.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/**
 * Probes, gets or sets a feature. [vfio-user] "VFIO_USER_DEVICE_FEATURE". The specification has features for migration
 * and dirty tracking only. Neither is offered, which VFIO says with ENOTTY.
 */
export const handleDeviceFeature: CommandHandler = message => {
  requirePayload(message, DeviceFeatureLayout.byteLength)
  const { view, position } = message
  requireArgsz(message, DeviceFeatureLayout.argsz.get(view, position), DeviceFeatureLayout.byteLength)
  const flags = DeviceFeatureLayout.flags.get(view, position)
  const isGet = DeviceFeatureFlags.GET.isSet(flags)
  const isSet = DeviceFeatureFlags.SET.isSet(flags)
  const isProbe = DeviceFeatureFlags.PROBE.isSet(flags)
  if (DeviceFeatureFlags.RESERVED.isSet(flags)) throw invalid(message, `has flags 0x${flags.toString(16)}`)
  // "GET and SET are mutually exclusive, except for use with PROBE."
  if (!isProbe && isGet === isSet) throw invalid(message, 'needs one of get, set and probe')
  const index = DeviceFeatureFlags.INDEX.get(flags)
  throw new ProtocolError(Errno.ENOTTY, `Feature ${index} is not supported.`)
}
