import block from '@pcikit/block'
import { contribute, definePlugin, DmaAccess, PLUGIN_API_VERSION, TRANSPORT } from '@pcikit/core'
import type { DeviceEndpoint, RegionIndex, StandardSchema, Transport } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { EventRecord } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { duplicateDescriptor } from '@pcikit/native'
import { GuestMemory, NvmeDriver } from '@pcikit/testkit'
import type { RegionAccess } from '@pcikit/testkit'
import type { Cleanup } from '../test/integration/testbed.js'
import type { LoadedGuest } from './read-load.js'

const MIB = 1024 * 1024
const CONFIG_SPACE: RegionIndex = 7
const COMMAND = 4
/** Memory Space Enable and Bus Master Enable. [PCIe] "Command Register". */
const MEMORY_AND_BUS_MASTER = 6

const noOptions: StandardSchema<unknown> = {
  '~standard': { version: 1, vendor: 'pcikit', validate: value => ({ value }) }
}

/** Brings no messages: who has it calls the device. */
class DirectTransport implements Transport, RegionAccess {
  readonly address = 'this process'
  #endpoint: DeviceEndpoint | undefined = undefined

  get endpoint (): DeviceEndpoint {
    if (this.#endpoint === undefined) throw new Error('Nothing is served.')
    return this.#endpoint
  }

  async listen (endpoint: DeviceEndpoint): Promise<void> {
    this.#endpoint = endpoint
  }

  async close (): Promise<void> {
    this.#endpoint = undefined
  }

  async readRegion (region: number, offset: number, count: number): Promise<Uint8Array> {
    const target = new Uint8Array(count)
    await this.endpoint.function.readRegion(region as RegionIndex, offset, new DataView(target.buffer), 0, count)
    return target
  }

  async writeRegion (region: number, offset: number, data: Uint8Array): Promise<void> {
    const source = new DataView(data.buffer, data.byteOffset)
    await this.endpoint.function.writeRegion(region as RegionIndex, offset, source, 0, data.length)
  }
}

/** A controller with a disk in memory and its guest in one process, without a socket between them. */
export async function attachDirectly (cleanup: Cleanup, record: EventRecord, diskBytes: number): Promise<LoadedGuest> {
  const client = new DirectTransport()
  const direct = definePlugin({
    name: 'direct',
    api: PLUGIN_API_VERSION,
    contributes: [
      contribute(TRANSPORT, {
        name: 'direct',
        summary: 'Calls.',
        options: noOptions,
        provider: { useFactory: () => client }
      })
    ]
  })
  const host = createHost({ plugins: [direct, dma, block, nvme], record })
  cleanup.add(host, each => each.close())
  await host.createDevice({
    type: 'nvme',
    options: { backends: [`memory:${diskBytes}`] },
    transport: { type: 'direct' }
  })
  client.endpoint.connect()
  const memory = new GuestMemory()
  cleanup.add(memory, each => each.close())
  const { file, fileOffset, iova, byteLength } = memory.add({ iova: MIB, byteLength: 16 * MIB })
  const descriptor = duplicateDescriptor(file.descriptor)
  client.endpoint.dma.map({ iova, byteLength, access: DmaAccess.READ_WRITE, fileOffset, descriptor })
  await client.writeRegion(CONFIG_SPACE, COMMAND, Uint8Array.of(MEMORY_AND_BUS_MASTER, 0))
  const driver = new NvmeDriver({ access: client, memory })
  await driver.enable()
  await driver.admin.setQueueCount(1)
  return { client, memory, driver }
}
