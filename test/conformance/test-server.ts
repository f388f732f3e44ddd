import { contribute, definePlugin, DEVICE, DMA_SPACE, PLUGIN_API_VERSION, BUS_MASTER } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { Host } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestDevice } from './test-device.js'

/** A server with the test device on a real socket, in a folder of its own. */
export interface TestServer {
  readonly path: string
  readonly device: TestDevice
  readonly host: Host
  close(): Promise<void>
}

/** Options of the socket and of the DMA manager, where they are not the usual. */
export interface TestServerOptions {
  readonly socket?: Readonly<Record<string, unknown>>
  readonly dma?: Readonly<Record<string, unknown>>
}

export async function startServer (options: TestServerOptions = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  const path = join(folder, 'device.sock')
  const made: TestDevice[] = []
  const accept = { version: 1 as const, vendor: 'pcikit-test', validate: () => ({ value: {} }) }
  const plugin = definePlugin({
    name: 'pcikit-test-device',
    api: PLUGIN_API_VERSION,
    contributes: [contribute(DEVICE, {
      name: 'test',
      summary: 'A device for looking at the protocol',
      options: { '~standard': accept },
      provider: {
        useFactory: container => {
          const device = new TestDevice(container.resolve(DMA_SPACE), container.resolve(BUS_MASTER))
          made.push(device)
          return device
        }
      }
    })]
  })
  const host = createHost({ plugins: [plugin, dma, socket] })
  await host.createDevice({
    type: 'test',
    transport: { type: 'socket', options: { path, ...options.socket } },
    dma: { type: 'mapped', options: options.dma ?? {} }
  })
  const close = async (): Promise<void> => {
    await host.close()
    rmSync(folder, { recursive: true })
  }
  return { path, device: made[0]!, host, close }
}

/** What the open descriptors of this process stand for, by number. */
export function openDescriptors (): Map<number, string> {
  const descriptors = new Map<number, string>()
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      descriptors.set(Number(name), readlinkSync(`/proc/self/fd/${name}`))
    } catch {
      // The one that the listing itself was read with.
    }
  }
  return descriptors
}

/** How many descriptors of this process are open. */
export function descriptorCount (): number {
  return openDescriptors().size
}
