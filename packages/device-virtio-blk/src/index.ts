/**
 * A virtio block device, a device plugin for pcikit.
 *
 * @example
 * ```ts
 * import { createHost } from '@pcikit/core/host'
 * import type { Plugin } from '@pcikit/core'
 * import virtioBlk from '@pcikit/device-virtio-blk'
 *
 * export function serve (others: readonly Plugin[]) {
 *   const host = createHost({ plugins: [...others, virtioBlk] })
 *   const transport = { type: 'socket', options: { path: './disk.sock' } }
 *   return host.createDevice({ type: 'virtio-blk', options: { backend: 'memory:1GiB' }, transport })
 * }
 * ```
 *
 * @packageDocumentation
 */
export { default } from './plugin.js'
export { virtioBlkDevice } from './plugin.js'
export { virtioBlkOptionsSchema } from './options.js'
export type { VirtioBlkOptions } from './options.js'
