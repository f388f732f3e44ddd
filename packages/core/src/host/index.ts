/**
 * The host: registers plugins, builds devices out of what they contribute, and serves them.
 *
 * @example
 * ```ts
 * import { createHost } from '@pcikit/core/host'
 * import type { Plugin } from '@pcikit/core'
 *
 * export async function serve (plugins: Plugin[]) {
 *   const host = createHost({ plugins })
 *   await host.createDevice({ type: 'nvme', transport: { type: 'socket', options: { path: './nvme.sock' } } })
 *   return host
 * }
 * ```
 *
 * @packageDocumentation
 */
import 'reflect-metadata'

export { EventRecord } from './event-record.js'
export type { RecordEntry } from './event-record.js'
export { createHost } from './host.js'
export type { Choice, DeviceOptions, Host, HostedDevice, HostOptions, SwappableDevice } from './host.js'
export type { SwapOutcome } from './device-slot.js'
export { buildProvided } from './scope.js'
export { discoverPlugins } from './discover-plugins.js'
export type { Discovery, PluginRefusal } from './discover-plugins.js'
export { loadPlugin } from './load-plugin.js'
export type { LoadPluginOptions } from './load-plugin.js'
