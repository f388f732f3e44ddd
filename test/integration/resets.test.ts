import { CommandAbandonedError, pattern, Property } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const TRANSFER_BLOCKS = 128

async function start (guest: Guest): Promise<IoQueue> {
  await guest.pci.enable()
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  return guest.driver.createQueuePair({ id: 1, depth: 65 })
}

/** Reads into 64 buffers at once. The outcomes are of no interest: a reset takes most of them away. */
function startReads (guest: Guest, queue: IoQueue): { iovas: number[], byteLength: number, settled: Promise<unknown> } {
  const byteLength = TRANSFER_BLOCKS * BLOCK_BYTES
  const iovas = Array.from({ length: 64 }, () => guest.memory.allocate(byteLength))
  const reads = iovas.map(iova => {
    const prps = guest.memory.allocate(4096)
    const pages = Array.from({ length: byteLength / 4096 - 1 }, (_, page) => BigInt(iova + (page + 1) * 4096))
    guest.memory.store(prps, new Uint8Array(new BigUint64Array(pages).buffer))
    return queue.submit({ opcode: 2, nsid: 1, prp1: iova, prp2: prps, cdw12: TRANSFER_BLOCKS - 1 })
  })
  return { iovas, byteLength, settled: Promise.allSettled(reads) }
}

/** Whether a read still comes in after the buffers were filled with something else. */
async function areLeftAlone (guest: Guest, iovas: number[], byteLength: number): Promise<boolean> {
  for (const iova of iovas) guest.memory.fill(iova, byteLength, 0x77)
  for (let turn = 0; turn < 20; turn++) await guest.client.getInfo()
  return iovas.every(iova => guest.memory.bytesAt(iova, byteLength).every(byte => byte === 0x77))
}

interface Reset {
  readonly name: string
  readonly reset: (guest: Guest) => Promise<void>
}

const resets: readonly Reset[] = [
  { name: 'VFIO_USER_DEVICE_RESET', reset: guest => guest.client.reset() },
  { name: 'a function-level reset', reset: guest => guest.pci.functionLevelReset() },
  {
    name: 'D3hot and back',
    reset: async guest => {
      await guest.pci.setPowerState('D3hot')
      await guest.pci.setPowerState('D0')
    }
  },
  {
    name: 'CC.EN = 0',
    reset: async guest => {
      await guest.driver.registers.write32(Property.CC, 0)
      await guest.driver.registers.waitReady(false, 5000)
    }
  },
  { name: 'clearing Bus Master Enable', reset: guest => guest.pci.setBusMaster(false) }
]

describe('in the middle of reads', () => {
  it.each(resets)('$name stops all DMA before it is acknowledged', async ({ reset }) => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queue = await start(guest)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(TRANSFER_BLOCKS * BLOCK_BYTES, 1))
    const { iovas, byteLength, settled } = startReads(guest, queue)
    await reset(guest)
    expect(await areLeftAlone(guest, iovas, byteLength)).toBe(true)
    guest.driver.abandon('The function was reset.')
    await settled
  })

  it.each(resets)('$name is followed by a controller that works, with its data', async ({ reset }) => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queue = await start(guest)
    const bytes = pattern(TRANSFER_BLOCKS * BLOCK_BYTES, 2)
    await queue.writeBytes(1, 0, BLOCK_BYTES, bytes)
    const { settled } = startReads(guest, queue)
    await reset(guest)
    guest.driver.abandon('The function was reset.')
    await settled
    const again = await start(guest)
    expect(Buffer.compare(await again.readBytes(1, 0, BLOCK_BYTES, bytes.length), bytes)).toBe(0)
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it('a reset can come fifty times in a row', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    for (let round = 0; round < 50; round++) {
      const queue = await start(guest)
      const reads = Array.from(
        { length: 32 },
        () => queue.submit({ opcode: 2, nsid: 1, prp1: 0x100_0000, cdw12: 7 }).catch((error: unknown) => error)
      )
      await resets[round % 4]!.reset(guest)
      guest.driver.abandon('The function was reset.')
      const outcomes = await Promise.all(reads)
      expect(outcomes.every(each => each instanceof CommandAbandonedError || !(each instanceof Error))).toBe(true)
    }
    const identity = await start(guest).then(() => guest.driver.admin.identifyController())
    expect(identity.nn).toBeGreaterThan(0)
  })
})

describe('a function-level reset', () => {
  it('puts configuration space and registers in the state of power-on', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    await guest.pci.assignBar(0, 0xfebf_0000)
    await guest.driver.enable()
    await guest.pci.functionLevelReset()
    expect(await guest.pci.read(4, 2)).toBe(0)
    expect((await guest.pci.read(0x10, 4)) & ~0xf).toBe(0)
    expect(await guest.driver.registers.read32(Property.CC)).toBe(0)
    expect(await guest.driver.registers.read32(Property.AQA)).toBe(0)
    expect((await guest.driver.registers.status()).ready).toBe(false)
  })
})

describe('sizing BARs under load', () => {
  it('costs time and nothing else', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queue = await start(guest)
    const flushes = Array.from({ length: 64 }, () => queue.flush(1))
    const bar = await guest.pci.sizeBar(0)
    await Promise.all(flushes)
    await queue.flush(1)
    expect(bar.byteLength).toBeGreaterThanOrEqual(16 * 1024)
    expect(guest.driver.anomalies).toEqual([])
  })
})

describe('a normal shutdown', () => {
  it('completes, and the controller can be enabled again', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    const queue = await start(guest)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 3))
    await guest.driver.shutDown()
    expect((await guest.driver.registers.status()).shutdown).toBe(2)
    const again = await start(guest)
    const bytes = await again.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
    expect(bytes).toEqual(pattern(BLOCK_BYTES, 3))
  })
})
