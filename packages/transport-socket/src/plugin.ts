import { contribute, definePlugin, PLUGIN_API_VERSION, TRANSPORT } from '@pcikit/core'
import { socketOptions } from './options.js'
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
    })
  ]
})
