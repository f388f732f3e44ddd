// Serves as many polled NVMe controllers in one process as its first argument says: the first on the socket that is its
// second, the others on sockets of that name in the folders 1, 2, ... beside it.
import { mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import block from '@pcikit/block'
import { silentLogger } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'

const [count = '1', path = 'nvme.sock'] = process.argv.slice(2)
const host = createHost({ plugins: [socket, dma, block, nvme], logger: silentLogger })
for (let index = 0; index < Number(count); index++) {
  const folder = index === 0 ? dirname(path) : join(dirname(path), String(index))
  mkdirSync(folder, { recursive: true })
  await host.createDevice({
    type: 'nvme',
    options: { backends: ['memory:256MiB'], doorbells: 'mmap' },
    transport: { type: 'socket', options: { path: join(folder, basename(path)) } }
  })
}
process.on('SIGTERM', () => void host.close().then(() => process.exit(0)))
process.stdout.write('ready\n')
