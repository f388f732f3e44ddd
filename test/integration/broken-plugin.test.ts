import { join } from 'node:path'
import block from '@pcikit/block'
import {
  BUS_MASTER,
  contribute,
  definePlugin,
  DEVICE,
  DMA_SPACE,
  LOGGER,
  PLUGIN_API_VERSION,
  RECORDER,
  SERVICE
} from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { Host, HostOptions } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { createPciFunction } from '@pcikit/pci'
import { pattern, PciDriver, VfioUserClient } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import type { Guest } from './testbed.js'

const VENDOR_ID = 0x1234
const ONES = Buffer.from([0xff, 0xff, 0xff, 0xff])
const NO_OPTIONS = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const

/** Where a device throws. */
type Place = 'provider' | 'start' | 'read' | 'write' | 'late write' | 'client gone' | 'close'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A plugin whose devices throw in one place, until they are reset. */
function brokenPlugin (place: Place): Plugin {
  let isMended = false
  const breakAt = (here: Place): void => {
    if (here === place && !isMended) throw new TypeError(`a mistake in ${here}`)
  }
  return definePlugin({
    name: 'broken-plugin',
    api: PLUGIN_API_VERSION,
    contributes: [contribute(DEVICE, {
      name: 'broken',
      summary: 'a device that throws',
      options: NO_OPTIONS,
      provider: {
        useFactory: container => {
          breakAt('provider')
          const handler = {
            read: () => {
              breakAt('read')
              return 0x42
            },
            write: () => {
              breakAt('write')
              return place === 'late write' ? Promise.resolve().then(() => breakAt('late write')) : undefined
            }
          }
          return {
            function: createPciFunction({
              identity: { vendorId: VENDOR_ID, deviceId: 1, classCode: 0xff_00_00 },
              bars: [{ index: 0, kind: 'memory32', byteLength: 4096, handler }]
            }, {
              dma: container.resolve(DMA_SPACE),
              busMaster: container.resolve(BUS_MASTER),
              recorder: container.resolve(RECORDER),
              logger: container.resolve(LOGGER),
              onReset: () => {
                isMended = true
              }
            }),
            start: async () => breakAt('start'),
            clientGone: () => breakAt('client gone'),
            close: async () => breakAt('close')
          }
        }
      }
    })]
  })
}

describe('a plugin that throws', () => {
  let folder: string
  let host: Host
  let guest: Guest
  let queue: IoQueue
  beforeEach(() => {
    folder = createFolder(cleanup)
  })

  /** A host of an NVMe controller that works and of a plugin that does not. */
  async function begin (broken: Plugin, options: Partial<HostOptions> = {}): Promise<void> {
    host = createHost({ plugins: [socket, dma, block, nvme, broken], ...options })
    cleanup.add(host, () => host.close().catch(() => undefined))
    await host.createDevice({ type: 'nvme', options: { backends: ['memory:1MiB'] }, transport: transportAt('nvme') })
    guest = await attachGuest(cleanup, join(folder, 'nvme'), { interrupts: 'msix' })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
  }

  const transportAt = (name: string) => ({ type: 'socket', options: { path: join(folder, name) } })
  const createBroken = () => host.createDevice({ type: 'broken', transport: transportAt('broken') })
  const attachBroken = async (): Promise<VfioUserClient> =>
    cleanup.add(await VfioUserClient.connect(join(folder, 'broken')), client => client.close())

  /** Whether the other device still does what it is told. */
  async function expectOtherWorks (seed: number): Promise<void> {
    const bytes = pattern(BLOCK_BYTES, seed)
    await queue.writeBytes(1, seed, BLOCK_BYTES, bytes)
    expect(Buffer.compare(await queue.readBytes(1, seed, BLOCK_BYTES, BLOCK_BYTES), bytes)).toBe(0)
    expect(guest.driver.anomalies).toEqual([])
  }

  it('when it is registered is left out, where the program wants that', async () => {
    const TOKEN = Symbol.for('test/broken-service') as never
    const refused: string[] = []
    await begin(
      definePlugin({
        name: 'broken-plugin',
        api: PLUGIN_API_VERSION,
        contributes: [contribute(SERVICE, {
          name: 'broken-service',
          summary: 'a service that throws',
          token: TOKEN,
          provider: {
            useFactory: () => {
              throw new TypeError('a mistake in the service')
            }
          }
        })]
      }),
      { onRefusal: ({ name }, error) => refused.push(`${name} ${error.code}`) }
    )
    expect(refused).toEqual(['broken-plugin PCIKIT_PLUGIN_INVALID'])
    await expectOtherWorks(1)
  })

  it.each(
    [
      ['provider', /'broken' of broken-plugin threw when it was built/],
      ['start', /'broken' of broken-plugin threw when it was started/]
    ] as const
  )('in its %s fails its own device, by name', async (place, message) => {
    await begin(brokenPlugin(place))
    await expectOtherWorks(1)
    await expect(createBroken()).rejects.toMatchObject({
      code: 'PCIKIT_DEVICE_FAILED',
      message: expect.stringMatching(message),
      cause: { message: `a mistake in ${place}` }
    })
    await expectOtherWorks(2)
    expect(host.devices.map(({ name }) => name)).toEqual(['nvme'])
  })

  it.each(['read', 'write', 'late write'] as const)(
    'in a %s of a register takes its own device off the bus until a reset',
    async place => {
      await begin(brokenPlugin(place))
      await createBroken()
      const client = await attachBroken()
      await new PciDriver(client).enable()
      await client.writeRegion(0, 0x10, Uint8Array.of(1, 2, 3, 4))
      expect(Buffer.compare(await client.readRegion(0, 0x10, 4), ONES)).toBe(0)
      expect(await new PciDriver(client).vendorId()).toBe(0xffff)
      await expectOtherWorks(1)
      expect(host.record.entries().filter(({ device }) => device === 'broken').at(-1))
        .toMatchObject({ type: 'bus-master', enabled: false })
      await client.reset()
      expect(await new PciDriver(client).vendorId()).toBe(VENDOR_ID)
      expect((await client.readRegion(0, 0x10, 4))[0]).toBe(0x42)
      await expectOtherWorks(2)
    }
  )

  it('when its client goes has the next client all the same', async () => {
    await begin(brokenPlugin('client gone'))
    await createBroken()
    const first = await attachBroken()
    first.close()
    expect(await new PciDriver(await attachBroken()).vendorId()).toBe(VENDOR_ID)
    await expectOtherWorks(1)
  })

  it('when it is closed is reported, and the others run on', async () => {
    await begin(brokenPlugin('close'))
    const device = await createBroken()
    await expect(device.close()).rejects.toMatchObject({ code: 'PCIKIT_CLOSE_FAILED' })
    await expectOtherWorks(1)
  })
})
