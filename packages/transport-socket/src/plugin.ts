import {
  contribute,
  definePlugin,
  EVENT_LOOP,
  PLUGIN_API_VERSION,
  SERVICE,
  SHARED_MEMORY,
  TRANSPORT
} from '@pcikit/core'
import { EventLoop } from '@pcikit/native'
import { FileMemoryFactory } from './file-memory-factory.js'
import { memoryOptions, socketOptions } from './options.js'
import { SocketTransport } from './socket-transport.js'

export default definePlugin({
  name: '@pcikit/transport-socket',
  api: PLUGIN_API_VERSION,
  contributes: [
    contribute(TRANSPORT, {
      name: 'socket',
      summary: 'The vfio-user protocol on a UNIX socket, for virtual machines.',
      options: socketOptions,
      provider: { useClass: SocketTransport }
    }),
    contribute(TRANSPORT, {
      name: 'memory',
      summary: 'The vfio-user protocol inside of one process, for tests.',
      options: memoryOptions,
      provider: { useClass: SocketTransport }
    }),
    contribute(SERVICE, {
      name: 'shared-memory',
      summary: 'Memory of a device that clients map, such as a page of doorbells.',
      token: SHARED_MEMORY,
      provider: { useFactory: () => new FileMemoryFactory() }
    }),
    contribute(SERVICE, {
      name: 'event-loop',
      summary: 'A look at the event loop, for devices that poll.',
      token: EVENT_LOOP,
      provider: { useFactory: () => new EventLoop() }
    })
  ]
})
