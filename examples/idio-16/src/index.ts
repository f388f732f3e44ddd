/**
 * A digital I/O card for pcikit, the ACCES PCI-IDIO-16, which Linux drives with `gpio-pci-idio-16`. README.md shows its
 * use.
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
import { Idio16 } from './idio-16.js'
import { idio16OptionsSchema } from './options.js'
import type { Idio16Options } from './options.js'

export { Idio16, idio16OptionsSchema }
export type { Idio16Options }

const device: DeviceContribution<Idio16Options> = {
  name: 'idio-16',
  summary: 'a digital I/O card, the ACCES PCI-IDIO-16',
  options: idio16OptionsSchema,
  provider: {
    useFactory: container =>
      new Idio16(container.resolve<Idio16Options>(OPTIONS), {
        dma: container.resolve(DMA_SPACE),
        busMaster: container.resolve(BUS_MASTER),
        recorder: container.resolve(RECORDER),
        logger: container.resolve(LOGGER)
      })
  }
}

/** The plugin that contributes the device type `idio-16`. */
const plugin: Plugin = definePlugin({
  name: 'pcikit-device-idio-16',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, device as DeviceContribution)]
})

export default plugin
