import block from '@pcikit/block'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import {
  GuestMemory,
  ManualClock,
  MemoryListener,
  NvmeDriver,
  pattern,
  PciDriver,
  VfioUserClient
} from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, openDescriptors } from './testbed.js'

const MIB = 1024 * 1024
/** Less than a message of data: each side waits for room in the middle of messages. */
const CAPACITY_BYTES = 1000
const KEEP_ALIVE_MS = 600_000
/** [NVMe-Base] "Keep Alive Timer". */
const KEEP_ALIVE_FEATURE = 0x0f

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Serves a controller to whoever connects to the listener. */
async function serve (): Promise<MemoryListener> {
  const listener = new MemoryListener(CAPACITY_BYTES)
  const host = createHost({ plugins: [socket, dma, block, nvme] })
  cleanup.add(host, () => host.close())
  await host.createDevice({
    type: 'nvme',
    options: { backends: ['memory:1MiB'] },
    transport: { type: 'memory', options: { listener } }
  })
  return listener
}

/** A guest of which the device gets some memory, or none and has to ask for each byte by message. */
async function attach (listener: MemoryListener, shared: boolean): Promise<NvmeDriver> {
  const memory = cleanup.add(new GuestMemory(), each => each.close())
  memory.add({ iova: MIB, byteLength: 8 * MIB, shared })
  const client = cleanup.add(await VfioUserClient.attach(listener.connect(), { memory }), each => each.close())
  await memory.map(client)
  const pci = new PciDriver(client)
  await pci.enable()
  const recorder = cleanup.add(await pci.enableMsix(2), each => each.close())
  const driver = new NvmeDriver({ access: client, memory, interrupts: { kind: 'msix', recorder } })
  cleanup.add(driver, each => each.abandon('The test is over.'))
  await driver.enable()
  return driver
}

describe('a device that is served without a socket', () => {
  it.each([[true], [false]])('does what it does with one, memory shared: %s', async shared => {
    const before = openDescriptors().filter(name => name.startsWith('socket:')).length
    const driver = await attach(await serve(), shared)
    await driver.admin.setQueueCount(1)
    const queue = await driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
    const bytes = pattern(16 * BLOCK_BYTES, 1)
    await queue.writeBytes(1, 8, BLOCK_BYTES, bytes)
    expect(Buffer.compare(await queue.readBytes(1, 8, BLOCK_BYTES, bytes.length), bytes)).toBe(0)
    expect(driver.anomalies).toEqual([])
    expect(openDescriptors().filter(name => name.startsWith('socket:'))).toHaveLength(before)
  })

  it('is given time by hand', async () => {
    const driver = await attach(await serve(), true)
    using clock = ManualClock.install()
    await driver.admin.setFeature(KEEP_ALIVE_FEATURE, KEEP_ALIVE_MS)
    await clock.advance(KEEP_ALIVE_MS - 1)
    expect((await driver.registers.status()).fatal).toBe(false)
    await clock.advance(1)
    expect((await driver.registers.status()).fatal).toBe(true)
  })
})
