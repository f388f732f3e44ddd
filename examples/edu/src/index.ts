/**
 * QEMU's educational device for pcikit: registers, interrupts and a DMA engine to write a driver for. README.md shows
 * its use.
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
import { Edu } from './edu.js'
import type { EduServices } from './edu.js'
import { eduOptionsSchema } from './options.js'
import type { EduOptions } from './options.js'

export { Edu, eduOptionsSchema }
export type { EduOptions, EduServices }

const device: DeviceContribution<EduOptions> = {
  name: 'edu',
  summary: 'the educational device of QEMU: registers, interrupts and DMA to write a driver for',
  options: eduOptionsSchema,
  provider: {
    useFactory: container =>
      new Edu(container.resolve<EduOptions>(OPTIONS), {
        dma: container.resolve(DMA_SPACE),
        busMaster: container.resolve(BUS_MASTER),
        recorder: container.resolve(RECORDER),
        logger: container.resolve(LOGGER)
      })
  }
}

/** The plugin that contributes the device type `edu`. */
const plugin: Plugin = definePlugin({
  name: 'pcikit-device-edu',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, device as DeviceContribution)]
})

export default plugin
