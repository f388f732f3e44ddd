import { IRQ_INDEX_COUNT, REGION_COUNT } from '@pcikit/core'
import { DeviceInfoFlags, DeviceInfoLayout } from '../layouts/device-info.js'
import { requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/** Tells what the device has. [vfio-user] "VFIO_USER_DEVICE_GET_INFO". */
export const handleDeviceInfo: CommandHandler = (message, reply) => {
  requirePayload(message, DeviceInfoLayout.byteLength)
  requireArgsz(message, DeviceInfoLayout.argsz.get(message.view, message.position), DeviceInfoLayout.byteLength)
  const at = reply.payload(DeviceInfoLayout.byteLength)
  DeviceInfoLayout.argsz.set(reply.view, at, DeviceInfoLayout.byteLength)
  DeviceInfoLayout.flags.set(reply.view, at, DeviceInfoFlags.RESET.mask | DeviceInfoFlags.PCI.mask)
  DeviceInfoLayout.numRegions.set(reply.view, at, REGION_COUNT)
  DeviceInfoLayout.numIrqs.set(reply.view, at, IRQ_INDEX_COUNT)
}
