import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import { PciDriver, VfioUserClient } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import idio16 from '../src/index.js'

const BAR = 2

/** A served card, as its driver sees it. */
export interface CardDriver extends AsyncDisposable {
  readonly client: VfioUserClient
  readonly pci: PciDriver
  /** Reads one port. */
  input(port: number): Promise<number>
  /** Writes one port. */
  output(port: number, value: number): Promise<void>
}

/** Serves a card in this process, on a socket in a fresh folder, and attaches a driver. */
export async function attachDriver (options: Record<string, unknown> = {}): Promise<CardDriver> {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-idio-16-'))
  const path = join(folder, 'card.sock')
  const host = createHost({ plugins: [socket, dma, idio16] })
  await host.createDevice({ type: 'idio-16', options, transport: { type: 'socket', options: { path } } })
  const client = await VfioUserClient.connect(path)
  return {
    client,
    pci: new PciDriver(client),
    input: async port => (await client.readRegion(BAR, port, 1))[0] ?? NaN,
    output: async (port, value) => client.writeRegion(BAR, port, Uint8Array.of(value)),
    [Symbol.asyncDispose]: async () => {
      client.close()
      await host.close()
      rmSync(folder, { recursive: true })
    }
  }
}
