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
import { NvmeDevice } from './nvme-device.js'
import { nvmeOptionsSchema } from './options.js'
import type { NvmeOptions } from './options.js'

/** The device type `nvme`. */
export const nvmeDevice: DeviceContribution<NvmeOptions> = Object.freeze(
  {
    name: 'nvme',
    summary: 'an NVMe controller with a namespace for each back end',
    options: nvmeOptionsSchema,
    provider: {
      useFactory: container =>
        new NvmeDevice(container.resolve<NvmeOptions>(OPTIONS), {
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
  } satisfies DeviceContribution<NvmeOptions>
)

/** The plugin that contributes the NVMe controller. */
const plugin: Plugin = definePlugin({
  name: '@pcikit/device-nvme',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, nvmeDevice as DeviceContribution)]
})

export default plugin
