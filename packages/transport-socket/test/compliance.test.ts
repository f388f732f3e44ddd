import { IrqIndex, silentLogger } from '@pcikit/core'
import type { Transport } from '@pcikit/core'
import { closeDescriptor, createEventFd, readEventFd } from '@pcikit/native'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { describeTransport } from '../../testkit/src/compliance/transport.js'
import type { TransportClient } from '../../testkit/src/compliance/transport.js'
import { MemoryListener } from '../../testkit/src/memory/memory-listener.js'
import { VfioUserClient } from '../../testkit/src/vfio-user/vfio-user-client.js'
import { memoryOptions, socketOptions, SocketTransport } from '../src/index.js'

let folder: string
let events: number[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  events = []
})

afterEach(() => {
  events.forEach(closeDescriptor)
  rmSync(folder, { recursive: true })
})

describeTransport('SocketTransport', {
  create: () => new SocketTransport(socketOptions.parse({ path: join(folder, 'device.sock') }), silentLogger),
  connect: async transport => drive(await VfioUserClient.connect(transport.address))
})

const listeners = new Map<Transport, MemoryListener>()

describeTransport('SocketTransport without a socket', {
  create: () => {
    const listener = new MemoryListener()
    const transport = new SocketTransport(memoryOptions.parse({ listener }), silentLogger)
    listeners.set(transport, listener)
    return transport
  },
  connect: async transport => {
    const connection = listeners.get(transport)?.connect()
    if (connection === undefined) throw new Error('The suite connects to another transport than it created.')
    return drive(await VfioUserClient.attach(connection))
  }
})

function drive (client: VfioUserClient): TransportClient {
  return {
    readRegion: (index, offset, count) => client.readRegion(index, offset, count),
    writeRegion: (index, offset, data) => client.writeRegion(index, offset, data),
    map: (iova, byteLength) => client.mapDma({ iova, byteLength }),
    unmap: async (iova, byteLength) => void await client.unmapDma(iova, byteLength),
    setVector: async () => {
      const event = createEventFd()
      events.push(event)
      const data = { descriptors: [event] }
      await client.setIrqs({ index: IrqIndex.MSIX, count: 1, action: 'trigger', data })
      return () => Math.max(0, readEventFd(event))
    },
    reset: () => client.reset(),
    disconnect: async () => {
      client.close()
    }
  }
}
