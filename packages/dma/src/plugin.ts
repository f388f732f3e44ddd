import { contribute, definePlugin, DMA_MANAGER, PLUGIN_API_VERSION } from '@pcikit/core'
import type { DmaManagerContribution } from '@pcikit/core'
import { MappedDmaManager } from './mapped-dma-manager.js'
import { mappedDmaOptions } from './options.js'
import type { MappedDmaOptions } from './options.js'

const mapped: DmaManagerContribution<MappedDmaOptions> = {
  name: 'mapped',
  summary: 'Maps the memory that the client shares, and reaches the rest by message',
  options: mappedDmaOptions,
  provider: { useClass: MappedDmaManager }
}

export default definePlugin({
  name: '@pcikit/dma',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DMA_MANAGER, mapped)]
})
