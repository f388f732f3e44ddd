/**
 * An NVMe controller, a device plugin for pcikit.
 *
 * @example
 * ```ts
 * import { createHost } from '@pcikit/core/host'
 * import type { Plugin } from '@pcikit/core'
 * import nvme from '@pcikit/device-nvme'
 *
 * export function serve (others: readonly Plugin[]) {
 *   const host = createHost({ plugins: [...others, nvme] })
 *   const transport = { type: 'socket', options: { path: './nvme.sock' } }
 *   return host.createDevice({ type: 'nvme', options: { backends: ['memory:1GiB'] }, transport })
 * }
 * ```
 *
 * @packageDocumentation
 */
export { default } from './plugin.js'
export { nvmeDevice } from './plugin.js'
export { nvmeOptionsSchema } from './options.js'
export type { NvmeOptions } from './options.js'
