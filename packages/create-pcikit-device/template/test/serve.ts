import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'
import plugin from '../src/index.js'

/** The device, behind a socket. Dispose of it. */
export interface Served extends AsyncDisposable {
  readonly path: string
}

/** Does what `pcikit run your-device` does, in this process. */
export async function serve (options: Record<string, unknown> = {}): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'your-device-'))
  const path = join(folder, 'device.sock')
  const host = createHost({ plugins: [socket, dma, plugin] })
  const close = async (): Promise<void> => {
    await host.close()
    await rm(folder, { recursive: true, force: true })
  }
  await host.createDevice({ type: 'your-device', options, transport: { type: 'socket', options: { path } } })
  return { path, [Symbol.asyncDispose]: close }
}
