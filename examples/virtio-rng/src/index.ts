/**
 * A virtio entropy device for pcikit: `/dev/hwrng` of the guest is the `crypto` of Node. README.md shows its use.
 *
 * @packageDocumentation
 */
import {
  BUS_MASTER,
  contribute,
  definePlugin,
  DEVICE,
  DEVICE_IDENTITY,
  DMA_SPACE,
  LOGGER,
  OPTIONS,
  PLUGIN_API_VERSION,
  RECORDER
} from '@pcikit/core'
import type { DeviceContribution, Plugin } from '@pcikit/core'
import { virtioRngOptionsSchema } from './options.js'
import type { VirtioRngOptions } from './options.js'
import { VirtioRng } from './virtio-rng.js'

export { VirtioRng, virtioRngOptionsSchema }
export type { VirtioRngOptions }

const device: DeviceContribution<VirtioRngOptions> = {
  name: 'virtio-rng',
  summary: 'a virtio entropy device',
  options: virtioRngOptionsSchema,
  provider: {
    useFactory: container =>
      new VirtioRng(container.resolve<VirtioRngOptions>(OPTIONS), {
        name: container.resolve(DEVICE_IDENTITY).name,
        dma: container.resolve(DMA_SPACE),
        busMaster: container.resolve(BUS_MASTER),
        recorder: container.resolve(RECORDER),
        logger: container.resolve(LOGGER)
      })
  }
}

/** The plugin that contributes the device type `virtio-rng`. */
const plugin: Plugin = definePlugin({
  name: 'pcikit-device-virtio-rng',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, device as DeviceContribution)]
})

export default plugin
