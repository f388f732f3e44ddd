/**
 * The vfio-user protocol on UNIX sockets, for clients such as QEMU's `vfio-user-pci`. The default export is a plugin
 * that contributes the transport `socket`, and for tests `memory`.
 *
 * @example
 * ```ts
 * import { silentLogger } from '@pcikit/core'
 * import type { DeviceEndpoint } from '@pcikit/core'
 * import { socketOptions, SocketTransport } from '@pcikit/transport-socket'
 *
 * export async function serve (endpoint: DeviceEndpoint): Promise<SocketTransport> {
 *   const transport = new SocketTransport(socketOptions.parse({ path: './device.sock', mode: '0660' }), silentLogger)
 *   await transport.listen(endpoint)
 *   return transport
 * }
 * ```
 *
 * @packageDocumentation
 */
export { default } from './plugin.js'
export { SocketTransport } from './socket-transport.js'
export { memoryOptions, socketOptions } from './options.js'
export type { ListenerOptions, SocketOptions } from './options.js'
export type { StreamListener, StreamSocket } from './stream-socket.js'
