import {
  BUS_MASTER,
  contribute,
  definePlugin,
  DEVICE,
  DEVICE_IDENTITY,
  DMA_SPACE,
  EVENT_LOOP,
  EXTENSIONS,
  LOGGER,
  OPTIONS,
  PLUGIN_API_VERSION,
  RECORDER,
  SHARED_MEMORY
} from '@pcikit/core'
import type { DeviceContribution, Plugin } from '@pcikit/core'
import { virtioBlkOptionsSchema } from './options.js'
import type { VirtioBlkOptions } from './options.js'
import { VirtioBlkDevice } from './virtio-blk-device.js'

/** The device type `virtio-blk`. */
export const virtioBlkDevice: DeviceContribution<VirtioBlkOptions> = Object.freeze(
  {
    name: 'virtio-blk',
    summary: 'a virtio block device',
    options: virtioBlkOptionsSchema,
    provider: {
      useFactory: container =>
        new VirtioBlkDevice(container.resolve<VirtioBlkOptions>(OPTIONS), {
          identity: container.resolve(DEVICE_IDENTITY),
          dma: container.resolve(DMA_SPACE),
          busMaster: container.resolve(BUS_MASTER),
          recorder: container.resolve(RECORDER),
          logger: container.resolve(LOGGER),
          extensions: container.resolve(EXTENSIONS),
          sharedMemory: container.isRegistered(SHARED_MEMORY, true) ? container.resolve(SHARED_MEMORY) : undefined,
          eventLoop: container.isRegistered(EVENT_LOOP, true) ? container.resolve(EVENT_LOOP) : undefined
        })
    }
  } satisfies DeviceContribution<VirtioBlkOptions>
)

/** The plugin that contributes the virtio block device. */
const plugin: Plugin = definePlugin({
  name: '@pcikit/device-virtio-blk',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, virtioBlkDevice as DeviceContribution)]
})

export default plugin
