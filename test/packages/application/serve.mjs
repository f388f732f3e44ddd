import { createHost } from '@pcikit/core/host'
import block from '@pcikit/block'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'
import rng from 'pcikit-device-virtio-rng'

const host = createHost({ plugins: [socket, dma, block, nvme, rng] })
await host.createDevice({ type: 'nvme', options: { backends: ['memory:1MiB'] }, transport: at('nvme.sock') })
await host.createDevice({ type: 'virtio-rng', transport: at('rng.sock') })
process.stdout.write('serving\n')
process.once('SIGTERM', () => void host.close())

function at (path) {
  return { type: 'socket', options: { path } }
}
