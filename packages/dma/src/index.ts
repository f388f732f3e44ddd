/**
 * The DMA manager of pcikit: guest memory by IOVA, which a device holds in leases and looks at through windows, and
 * which the client can take away at any moment.
 *
 * @example
 * ```ts
 * import dma from '@pcikit/dma'
 * import { createHost } from '@pcikit/core/host'
 *
 * const host = createHost({ plugins: [dma] })
 * ```
 *
 * @packageDocumentation
 */
export { MappedDmaManager } from './mapped-dma-manager.js'
export { mappedDmaOptions } from './options.js'
export type { MappedDmaOptions } from './options.js'
export { default } from './plugin.js'
