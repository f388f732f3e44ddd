import { DataBuffer, DiskVerifier, GuestFile } from '@pcikit/testkit'
import type { AbandonedPlace, GuestMemory, IoQueue, NvmeDriver } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve, until } from './testbed.js'
import type { Guest, GuestOptions } from './testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
const BUFFERS_IOVA = 0x10_0000
const BUFFERS_BYTES = 8 * KIB
const EVENTS_IOVA = BUFFERS_IOVA + 4 * KIB
/** How many places the buffers' file has. */
const PLACES = 4

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** One region for the buffers, whose file has room for it to move, and one for everything else. */
function layOut (memory: GuestMemory): void {
  const file = GuestFile.create(PLACES * BUFFERS_BYTES)
  memory.add({ iova: BUFFERS_IOVA, byteLength: BUFFERS_BYTES, file })
  memory.reserve(BUFFERS_IOVA, BUFFERS_BYTES)
  memory.add({ iova: 0x100_0000, byteLength: 16 * MIB })
}

interface Shape {
  readonly depth: number
  readonly queues?: number
  readonly hasVectors?: boolean
  readonly forAdmin?: boolean
}

interface Case {
  readonly name: string
  readonly shape: Shape
  readonly guest?: GuestOptions
  readonly device?: Record<string, unknown>
}

/** A controller whose driver rings in the buffers of the region that moves. */
async function start (options: GuestOptions, shape: Shape, device: Record<string, unknown> = {}) {
  const { path } = await serve(cleanup, device)
  const guest = await attachGuest(cleanup, path, { layOut, doorbells: 'posted', ...options })
  const count = shape.queues ?? 1
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(count)
  const queues: IoQueue[] = []
  for (let id = 1; id <= count; id++) {
    const vector = shape.hasVectors === true ? { vector: id } : {}
    queues.push(await guest.driver.createQueuePair({ id, depth: shape.depth, ...vector }))
  }
  const forAdmin = shape.forAdmin ?? false
  await guest.driver.configureDoorbellBuffers({ shadowIova: BUFFERS_IOVA, eventsIova: EVENTS_IOVA, forAdmin })
  return { guest, queues, queue: queues[0]! }
}

function verifier (guest: Guest, seed: number): DiskVerifier {
  const { memory } = guest
  return new DiskVerifier({ memory, nsid: 1, blockBytes: BLOCK_BYTES, blockCount: 4096, transferBlocksMax: 16, seed })
}

/** Reads a block again and again, `depth` at a time, until all are done. */
async function readMany (guest: Guest, queue: IoQueue, depth: number, count: number): Promise<void> {
  let remaining = count
  const work = async (): Promise<void> => {
    const buffer = DataBuffer.contiguous(guest.memory, 4096)
    while (remaining-- > 0) await queue.read({ nsid: 1, slba: 0, blockCount: 8, buffer })
    buffer.free()
  }
  await Promise.all(Array.from({ length: depth }, work))
}

describe('shadow doorbells', () => {
  it.each<Case>([
    { name: 'posted doorbells', shape: { depth: 33 } },
    { name: 'doorbells that are answered', shape: { depth: 33 }, guest: { doorbells: 'trap' } },
    {
      name: 'four queues and MSI-X',
      shape: { depth: 17, queues: 4, hasVectors: true },
      guest: { interrupts: 'msix' }
    },
    { name: 'two queues and MSI', shape: { depth: 17, queues: 2 }, guest: { interrupts: 'msi' } },
    { name: 'INTx, whose level follows the heads', shape: { depth: 9 }, guest: { interrupts: 'intx' } },
    { name: 'the smallest queue', shape: { depth: 2 } },
    { name: 'admin queues that use them too', shape: { depth: 9, forAdmin: true } },
    { name: 'no watching at all', shape: { depth: 17 }, device: { shadowWatchUs: 0 } },
    { name: 'watching for very long', shape: { depth: 17 }, device: { shadowWatchUs: 100_000 } }
  ])('carry all data, with $name', async ({ shape, guest: options = {}, device = {} }) => {
    const { depth } = shape
    const { guest, queues } = await start(options, shape, device)
    const disk = verifier(guest, depth)
    await disk.run(queues, { depth: depth - 1, commands: 500 })
    for (let round = 0; round < 70; round++) await guest.driver.admin.getFeature(7)
    await disk.run(queues, { depth: 1, commands: 50 })
    await disk.check(queues[0]!)
    expect(guest.driver.anomalies).toEqual([])
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it('are rung far less often than there are commands while the queue is busy', async () => {
    const { guest, queue } = await start({}, { depth: 256 })
    const before = guest.driver.shadow.registerCount
    await readMany(guest, queue, 32, 5000)
    expect(guest.driver.shadow.registerCount - before).toBeLessThan(500)
  })

  it('are not offered where doorbells are polled anyway', async () => {
    const { path } = await serve(cleanup, { doorbells: 'mmap' })
    const guest = await attachGuest(cleanup, path, { doorbells: 'mmap' })
    await guest.driver.enable()
    const identity = await guest.driver.admin.identify(1)
    const completion = await guest.driver.admin.submit({ opcode: 0x7c, prp1: 0x20_0000, prp2: 0x20_1000 })
    expect(identity[257]! & 1).toBe(0)
    expect([completion.status.sct, completion.status.sc]).toEqual([0, 1])
  })

  it('end with a reset, and can be had again', async () => {
    const { guest, queue } = await start({}, { depth: 17 })
    await readMany(guest, queue, 16, 50)
    for (let round = 0; round < 5; round++) {
      await guest.driver.enable()
      const again = await guest.driver.createQueuePair({ id: 1, depth: 17 })
      await readMany(guest, again, 16, 50)
      await guest.driver.configureDoorbellBuffers({ shadowIova: BUFFERS_IOVA, eventsIova: EVENTS_IOVA })
      // The queue went on without them, and the driver starts from zero in buffers that are empty.
      await guest.driver.deleteSubmissionQueue(1)
      await guest.driver.deleteCompletionQueue(1)
      await readMany(guest, await guest.driver.createQueuePair({ id: 1, depth: 17 }), 16, 50)
    }
    expect(guest.driver.anomalies).toEqual([])
  })
})

describe('the memory of shadow doorbells', () => {
  it('may move a thousand times under load', async () => {
    const { guest, queue } = await start({}, { depth: 33 })
    const region = guest.memory.regions[0]!
    let isMoving = true
    const load = (async () => {
      const disk = verifier(guest, 1)
      while (isMoving) await disk.run([queue], { depth: 16, commands: 64 })
      await disk.check(queue)
    })()
    const left = new Map<number, AbandonedPlace>()
    let isUntouched = true
    for (let round = 0; round < 1000; round++) {
      const place = (round + 1) % PLACES
      isUntouched &&= left.get(place)?.isUntouched ?? true
      left.set(round % PLACES, await guest.memory.move(guest.client, region, place * BUFFERS_BYTES))
      left.delete(place)
    }
    isMoving = false
    await load
    expect(isUntouched).toBe(true)
    expect(guest.driver.anomalies).toEqual([])
  })

  // An index that is out of date and not crossed leaves no other sign of a command than its entry. A register that is
  // rung may be late, so its value does not count.
  it.each([
    { name: 'its entry alone', eventIndex: 9, registers: 0 },
    { name: 'a ring of the register', eventIndex: 1, registers: 1 }
  ])('may be away: a command with $name is served when they are back', async ({ eventIndex, registers }) => {
    const { guest, queue } = await start({}, { depth: 17 }, { shadowWatchUs: 0 })
    await queue.flush(1)
    const region = guest.memory.regions[0]!
    await guest.client.unmapDma(region.iova, region.byteLength)
    const at = guest.memory.locate(EVENTS_IOVA + 8, 4)
    Atomics.store(at.file.words, at.position >>> 2, eventIndex)
    const rings = guest.driver.shadow.registerCount
    const flushed = queue.flush(1)
    await guest.client.getInfo()
    expect([queue.submission.pendingCount, guest.driver.shadow.registerCount - rings]).toEqual([1, registers])
    await guest.memory.map(guest.client, [region])
    await flushed
    await readMany(guest, queue, 16, 100)
  })

  it('survives bus mastering being switched off and on under load', async () => {
    const { guest, queue } = await start({}, { depth: 33 })
    let isRunning = true
    let count = 0
    const load = async (): Promise<void> => {
      while (isRunning) {
        await queue.submit({ opcode: 0, nsid: 1 })
        count++
      }
    }
    const loads = Array.from({ length: 16 }, load)
    for (let round = 0; round < 100; round++) {
      const before = count
      await guest.pci.setBusMaster(false)
      await guest.pci.setBusMaster(true)
      await until(() => count > before + 20)
    }
    isRunning = false
    await Promise.all(loads)
    expect(guest.driver.anomalies).toEqual([])
  })

  it.each<Case>([
    { name: 'polling', shape: { depth: 17 } },
    { name: 'admin queues too', shape: { depth: 9, forAdmin: true } },
    { name: 'MSI-X', shape: { depth: 17, hasVectors: true }, guest: { interrupts: 'msix' } },
    { name: 'INTx', shape: { depth: 9 }, guest: { interrupts: 'intx' } },
    { name: 'the smallest queue', shape: { depth: 2 } }
  ])('may be behind messages, with $name', async ({ shape, guest: options = {} }) => {
    const { depth } = shape
    const { guest, queue } = await start({ ...options, layOut: unshared }, shape)
    const disk = verifier(guest, 7)
    await disk.run([queue], { depth: depth - 1, commands: 200 })
    await disk.check(queue)
    expect(guest.driver.anomalies).toEqual([])
  })
})

/** The buffers in memory of which the client shares no file. */
function unshared (memory: GuestMemory): void {
  memory.add({ iova: BUFFERS_IOVA, byteLength: BUFFERS_BYTES, shared: false })
  memory.reserve(BUFFERS_IOVA, BUFFERS_BYTES)
  memory.add({ iova: 0x100_0000, byteLength: 16 * MIB })
}

describe('values that make no sense', () => {
  it('are told once, and the queue goes on with the next that does', async () => {
    const { guest, queue } = await start({}, { depth: 17 })
    await queue.flush(1)
    const events: number[] = []
    const listen = async (driver: NvmeDriver): Promise<void> => {
      events.push((await driver.admin.asyncEvent()).dw0)
      await driver.admin.getLogPage({ lid: 1, byteLength: 64 })
    }
    const listening = listen(guest.driver)
    await queue.submission.ring(0xffff)
    // Whether it is rung for is up to the event index. Memory that comes makes the controller look in any case.
    await guest.client.unmapDma(BUFFERS_IOVA, BUFFERS_BYTES)
    await guest.memory.map(guest.client, [guest.memory.regions[0]!])
    await listening
    const again = listen(guest.driver).catch(() => undefined)
    await readMany(guest, queue, 16, 200)
    await guest.driver.disable()
    await again
    expect(events).toEqual([0x0001_0100])
  })
})
