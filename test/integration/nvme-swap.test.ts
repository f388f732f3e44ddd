// The code of a controller is exchanged while a driver uses it.
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import block from '@pcikit/block'
import { createHost } from '@pcikit/core/host'
import type { SwappableDevice } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { DiskVerifier } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import type { Guest, GuestOptions } from './testbed.js'

const MIB = 1024 * 1024
const BLOCK_COUNT = 4096
const DEPTH = 17
const ASYNC_EVENT_CONFIGURATION = 0x0b
const NAMESPACE_ATTRIBUTE_NOTICES = 1 << 8
const HEALTH = 0x02

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

interface Swapped {
  readonly device: SwappableDevice
  readonly file: string
  readonly guest: Guest
  readonly queues: readonly IoQueue[]
}

async function serve (backend: string, path: string, options: Record<string, unknown>): Promise<SwappableDevice> {
  const host = createHost({ plugins: [socket, dma, block, nvme] })
  cleanup.add(host, () => host.close())
  return host.createDevice({
    type: 'nvme',
    options: { backends: [backend], ...options },
    transport: { type: 'socket', options: { path } },
    swappable: true
  })
}

/** A controller whose code can be exchanged, and a driver that has queues. */
async function start (
  options: GuestOptions,
  queueCount = 1,
  deviceOptions: Record<string, unknown> = {}
): Promise<Swapped> {
  const folder = createFolder(cleanup)
  const [file, path] = [join(folder, 'disk.img'), join(folder, 'nvme.sock')]
  writeFileSync(file, '')
  truncateSync(file, BLOCK_COUNT * BLOCK_BYTES)
  const device = await serve(`file:${file}`, path, deviceOptions)
  const guest = await attachGuest(cleanup, path, options)
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(queueCount)
  const queues: IoQueue[] = []
  for (let id = 1; id <= queueCount; id++) {
    queues.push(
      await guest.driver.createQueuePair({ id, depth: DEPTH, ...(options.interrupts === 'msix' ? { vector: id } : {}) })
    )
  }
  return { device, file, guest, queues }
}

/** Exchanges the code again and again while the driver writes and reads, and checks everything that it wrote. */
async function swapUnderLoad ({ device, guest, queues }: Swapped, seed: number): Promise<number> {
  const disk = new DiskVerifier({
    ...{ memory: guest.memory, nsid: 1, blockBytes: BLOCK_BYTES, blockCount: BLOCK_COUNT },
    ...{ transferBlocksMax: 16, seed }
  })
  let isLoaded = true
  const load = disk.run(queues, { depth: DEPTH - 1, commands: 1500 }).finally(() => {
    isLoaded = false
  })
  let count = 0
  while (isLoaded) {
    expect(await device.swap(nvme)).toMatchObject({ state: 'carried' })
    count++
    // Else there would be nothing but exchanges.
    await delay(5)
  }
  await load
  await disk.check(queues[0]!)
  expect(guest.driver.anomalies).toEqual([])
  expect(guest.memory.areGuardsIntact).toBe(true)
  return count
}

describe('a controller whose code is exchanged under load', () => {
  it.each<{ readonly name: string, readonly guest: GuestOptions, readonly queues?: number }>([
    { name: 'doorbells that are answered', guest: {} },
    {
      name: 'posted doorbells and four queues with MSI-X',
      guest: { doorbells: 'posted', interrupts: 'msix' },
      queues: 4
    },
    { name: 'INTx', guest: { doorbells: 'posted', interrupts: 'intx' } },
    { name: 'MSI', guest: { doorbells: 'posted', interrupts: 'msi' } },
    {
      name: 'memory that is not shared',
      guest: { layOut: memory => void memory.add({ iova: MIB, byteLength: 16 * MIB, shared: false }) }
    }
  ])('loses nothing, with $name', async ({ guest, queues = 1 }) => {
    expect(await swapUnderLoad(await start(guest, queues), 3)).toBeGreaterThan(1)
  })

  it('loses nothing with doorbells in shared memory, which the driver rings meanwhile', async () => {
    const swapped = await start({ doorbells: 'mmap' }, 2, { doorbells: 'mmap' })
    expect(await swapUnderLoad(swapped, 4)).toBeGreaterThan(1)
  })

  it('loses nothing with shadow doorbells', async () => {
    const swapped = await start({ doorbells: 'posted', interrupts: 'msix' }, 2)
    await swapped.guest.driver.configureDoorbellBuffers()
    expect(await swapUnderLoad(swapped, 5)).toBeGreaterThan(1)
  })
})

describe('a controller whose code was exchanged', () => {
  it('is the one that it was, with what the host set and waits for', async () => {
    const { device, file, guest } = await start({ interrupts: 'msix' }, 1, { resizeCheckMs: 5 })
    const { admin } = guest.driver
    await admin.setFeature(ASYNC_EVENT_CONFIGURATION, NAMESPACE_ATTRIBUTE_NOTICES)
    const event = admin.asyncEvent()
    const before = [await admin.identify(1), await admin.identify(0, 1), await admin.identify(3, 1)]
    expect(await device.swap(nvme)).toMatchObject({ state: 'carried' })
    expect([await admin.identify(1), await admin.identify(0, 1), await admin.identify(3, 1)]).toEqual(before)
    expect(await admin.getFeature(ASYNC_EVENT_CONFIGURATION)).toBe(NAMESPACE_ATTRIBUTE_NOTICES)
    truncateSync(file, 2 * BLOCK_COUNT * BLOCK_BYTES)
    expect((await event).dw0 & 0xff).toBe(0x02)
    expect((await admin.identifyNamespace(1)).nsze).toBe(2 * BLOCK_COUNT)
  })

  it('still counts what it counted', async () => {
    const { device, guest, queues } = await start({})
    for (let count = 0; count < 3; count++) await queues[0]!.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
    await device.swap(nvme)
    await queues[0]!.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
    const page = await guest.driver.admin.getLogPage({ lid: HEALTH, byteLength: 512 })
    // Host Read Commands.
    expect(new DataView(page.buffer, page.byteOffset).getUint32(64, true)).toBe(4)
  })

  it('can be reset, disabled and enabled as ever', async () => {
    const { device, guest } = await start({})
    await device.swap(nvme)
    await guest.driver.disable()
    await device.swap(nvme)
    await guest.driver.enable()
    const queue = await guest.driver.createQueuePair({ id: 1, depth: DEPTH })
    await guest.client.reset()
    await guest.pci.enable()
    await device.swap(nvme)
    await guest.driver.enable()
    const again = await guest.driver.createQueuePair({ id: 1, depth: DEPTH })
    expect(queue).not.toBe(again)
    expect(await again.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(new Uint8Array(BLOCK_BYTES))
  })

  it('is reset where its disk is in memory, as that goes with the code', async () => {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const device = await serve('memory:1MiB', path, {})
    const guest = await attachGuest(cleanup, path)
    await guest.driver.enable()
    expect(await device.swap(nvme)).toMatchObject({
      state: 'reset',
      reason: expect.stringContaining('memory back end')
    })
  })
})
