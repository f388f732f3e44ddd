/**
 * A PCI device for pcikit. README.md shows its use.
 *
 * @packageDocumentation
 */
import {
  BUS_MASTER,
  contribute,
  definePlugin,
  DEVICE,
  DMA_SPACE,
  LOGGER,
  OPTIONS,
  PLUGIN_API_VERSION,
  RECORDER
} from '@pcikit/core'
import type { DeviceContribution, Plugin } from '@pcikit/core'
import { YourDevice } from './device.js'
import type { DeviceServices } from './device.js'
import { optionsSchema } from './options.js'
import type { Options } from './options.js'

export { optionsSchema, YourDevice }
export type { DeviceServices, Options }

const device: DeviceContribution<Options> = {
  name: 'your-device',
  summary: 'a device that combines memory of the guest with a key',
  options: optionsSchema,
  provider: {
    useFactory: container =>
      new YourDevice(container.resolve<Options>(OPTIONS), {
        dma: container.resolve(DMA_SPACE),
        busMaster: container.resolve(BUS_MASTER),
        recorder: container.resolve(RECORDER),
        logger: container.resolve(LOGGER)
      })
  }
}

/** The plugin that contributes the device type `your-device`. */
const plugin: Plugin = definePlugin({
  name: 'pcikit-device-your-device',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, device as DeviceContribution)]
})

export default plugin
