import { buildPrps, DataBuffer, DiskVerifier, firstDifference, GuestFile, pattern } from '@pcikit/testkit'
import type { GuestMemory, IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const PAGE = 4096
const MIB = 1024 * 1024
const START = 0x8000_0000

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Pages that follow one another as addresses and lie in one file in descending order: a region for each. */
function inSinglePages (count: number): (memory: GuestMemory) => void {
  return memory => {
    const file = GuestFile.create(count * PAGE)
    for (let page = 0; page < count; page++) {
      memory.add({ iova: START + page * PAGE, byteLength: PAGE, file, fileOffset: (count - 1 - page) * PAGE })
    }
  }
}

async function createQueue (guest: Guest, depth: number): Promise<IoQueue> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  return guest.driver.createQueuePair({ id: 1, depth })
}

describe('queues and buffers in single pages, as behind a vIOMMU', () => {
  it('work where a queue spans four regions', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: inSinglePages(1024), doorbells: 'posted' })
    const queue = await createQueue(guest, 256)
    const { memory } = guest
    const disk = new DiskVerifier({
      memory,
      nsid: 1,
      blockBytes: BLOCK_BYTES,
      blockCount: 4096,
      transferBlocksMax: 32,
      seed: 1
    })
    await disk.run([queue], { depth: 32, commands: 1200 })
    await disk.check(queue)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('work for a transfer across 256 regions', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: inSinglePages(1024) })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.contiguous(guest.memory, MIB)
    const bytes = buffer.fillPattern(9)
    await queue.write({ nsid: 1, slba: 0, blockCount: MIB / BLOCK_BYTES, buffer })
    buffer.fill(0)
    await queue.read({ nsid: 1, slba: 0, blockCount: MIB / BLOCK_BYTES, buffer })
    expect(firstDifference(buffer.read(), bytes)).toBe(-1)
  })

  it('work where an entry of a PRP list is the last of its region', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: inSinglePages(64) })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.scattered(guest.memory, 8 * PAGE)
    const bytes = buffer.fillPattern(3)
    const shape = { listOffset: PAGE - 24 }
    await queue.write({ nsid: 1, slba: 0, blockCount: 64, buffer, shape })
    expect(firstDifference(await queue.readBytes(1, 0, BLOCK_BYTES, 8 * PAGE), bytes)).toBe(-1)
  })
})

describe('PRP shapes', () => {
  it.each([
    { name: 'one entry', byteLength: 512, offset: 0 },
    { name: 'one entry inside a page', byteLength: 512, offset: 2052 },
    { name: 'two entries with the first inside a page', byteLength: PAGE, offset: 4 },
    { name: 'two full pages', byteLength: 2 * PAGE, offset: 0 },
    { name: 'a list of two', byteLength: 2 * PAGE, offset: 512 },
    { name: 'a list that starts inside its page', byteLength: 16 * PAGE, offset: 0, listOffset: 2048 },
    { name: 'a list of one entry before it chains', byteLength: 8 * PAGE, offset: 0, listOffset: PAGE - 16 },
    { name: 'a list that only chains', byteLength: 8 * PAGE, offset: 0, listOffset: PAGE - 8 },
    { name: 'a list that fills its page', byteLength: MIB, offset: 0, listOffset: 2056 }
  ])('$name: contiguous and scattered', async ({ byteLength, offset, listOffset = 0 }) => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    const queue = await createQueue(guest, 16)
    const blockCount = byteLength / BLOCK_BYTES
    const scattered = DataBuffer.scattered(guest.memory, byteLength, offset)
    const contiguous = DataBuffer.contiguous(guest.memory, byteLength, offset)
    const bytes = scattered.fillPattern(77)
    await queue.write({ nsid: 1, slba: 3, blockCount, buffer: scattered, shape: { listOffset } })
    await queue.read({ nsid: 1, slba: 3, blockCount, buffer: contiguous, shape: { listOffset } })
    expect(firstDifference(contiguous.read(), bytes)).toBe(-1)
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it('writes no byte outside of its buffer', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    const queue = await createQueue(guest, 16)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(3 * PAGE, 4))
    const page = guest.memory.allocate(6 * PAGE)
    guest.memory.fill(page, 6 * PAGE, 0x5a)
    const buffer = DataBuffer.at(guest.memory, page + PAGE + 1024, 2 * PAGE + 512)
    await queue.read({ nsid: 1, slba: 0, blockCount: 17, buffer })
    const before = guest.memory.bytesAt(page, PAGE + 1024)
    const after = guest.memory.bytesAt(page + 3 * PAGE + 1536, 3 * PAGE - 1536)
    expect(firstDifference(buffer.read(), pattern(3 * PAGE, 4).slice(0, 2 * PAGE + 512))).toBe(-1)
    expect([...before, ...after].every(byte => byte === 0x5a)).toBe(true)
  })

  it('refuses an entry of a list with an offset', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.contiguous(guest.memory, 4 * PAGE)
    const { prp1, prp2 } = buildPrps(guest.memory, buffer)
    guest.memory.store(prp2, new Uint8Array(new BigUint64Array([BigInt(buffer.pages[1]! + 8)]).buffer))
    const { status } = await queue.submit({ opcode: 2, nsid: 1, prp1, prp2, cdw12: 31 })
    expect([status.sct, status.sc]).toEqual([0, 0x13])
  })

  it('ends in a Data Transfer Error where a list is not in memory', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    const queue = await createQueue(guest, 16)
    const prp1 = guest.memory.allocate(PAGE)
    const { status } = await queue.submit({ opcode: 2, nsid: 1, prp1, prp2: 0x7000_0000, cdw12: 31 })
    expect([status.sct, status.sc]).toEqual([0, 4])
  })
})

describe('memory above 2^45', () => {
  it('works as any other', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, {
      layOut: memory => void memory.add({ iova: 2 ** 45 + 0x7f00_0000, byteLength: 8 * MIB })
    })
    const queue = await createQueue(guest, 64)
    const bytes = pattern(64 * 1024, 45)
    await queue.writeBytes(1, 9, BLOCK_BYTES, bytes)
    expect(firstDifference(await queue.readBytes(1, 9, BLOCK_BYTES, bytes.length), bytes)).toBe(-1)
  })
})
