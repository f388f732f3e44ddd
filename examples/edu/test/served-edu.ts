import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import { GuestMemory, PciDriver, VfioUserClient } from '@pcikit/testkit'
import type { RegionPlacement } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import edu from '../src/index.js'
import { EduDriver } from './edu-driver.js'

const MIB = 1024 * 1024

/** A served device, and a guest that is connected to it. */
export interface EduGuest extends AsyncDisposable {
  readonly client: VfioUserClient
  readonly memory: GuestMemory
  readonly pci: PciDriver
  readonly driver: EduDriver
}

/** What is not as usual. */
export interface EduGuestOptions {
  readonly options?: Record<string, unknown>
  /** 1 MiB at 1 MiB, shared, unless given. */
  readonly regions?: readonly RegionPlacement[]
}

/** Serves a device in this process, on a socket in a fresh folder, and attaches a guest with its memory. */
export async function attachGuest ({ options = {}, regions }: EduGuestOptions = {}): Promise<EduGuest> {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-edu-'))
  const path = join(folder, 'edu.sock')
  const host = createHost({ plugins: [socket, dma, edu] })
  await host.createDevice({ type: 'edu', options, transport: { type: 'socket', options: { path } } })
  const memory = new GuestMemory()
  for (const region of regions ?? [{ iova: MIB, byteLength: MIB }]) memory.add(region)
  const client = await VfioUserClient.connect(path, { memory })
  await memory.map(client)
  const pci = new PciDriver(client)
  await pci.enable()
  return {
    client,
    memory,
    pci,
    driver: new EduDriver(client),
    [Symbol.asyncDispose]: async () => {
      client.close()
      await host.close()
      memory.close()
      rmSync(folder, { recursive: true })
    }
  }
}
