import { CommandAbandonedError, DiskVerifier, GuestFile } from '@pcikit/testkit'
import type { AbandonedPlace, GuestMemory, GuestRegion, IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve, until } from './testbed.js'
import type { Guest } from './testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
const QUEUE_REGION_BYTES = 64 * KIB
const QUEUE_IOVA = 0x10_0000
/** How many places the queues' file has, each with room for all of the region. */
const PLACES = 4
const DATA_IOVA = 0x100_0000

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** One region for queues, whose file has room for it to move, and one for everything else. */
function layOut (memory: GuestMemory): void {
  const file = GuestFile.create(PLACES * QUEUE_REGION_BYTES)
  memory.add({ iova: QUEUE_IOVA, byteLength: QUEUE_REGION_BYTES, file })
  memory.reserve(QUEUE_IOVA, QUEUE_REGION_BYTES)
  memory.add({ iova: DATA_IOVA, byteLength: 16 * MIB })
}

function queueRegion (guest: Guest): GuestRegion {
  return guest.memory.regions[0]!
}

/** Moves the queues from place to place, and looks at each before it is used again: nobody may have written there. */
async function moveAround (guest: Guest, rounds: number): Promise<boolean> {
  const region = queueRegion(guest)
  const left = new Map<number, AbandonedPlace>()
  let isUntouched = true
  for (let round = 0; round < rounds; round++) {
    const place = (round + 1) % PLACES
    isUntouched &&= left.get(place)?.isUntouched ?? true
    left.set(round % PLACES, await guest.memory.move(guest.client, region, place * QUEUE_REGION_BYTES))
    left.delete(place)
  }
  return isUntouched && [...left.values()].every(each => each.isUntouched)
}

/** Both queues of a pair in the region that moves; the admin queues elsewhere. */
async function createQueue (guest: Guest, depth: number): Promise<IoQueue> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  const submissionIova = QUEUE_IOVA
  return guest.driver.createQueuePair({ id: 1, depth, submissionIova, completionIova: QUEUE_IOVA + 32 * KIB })
}

function verifier (guest: Guest, seed: number): DiskVerifier {
  const { memory } = guest
  return new DiskVerifier({ memory, nsid: 1, blockBytes: BLOCK_BYTES, blockCount: 2048, transferBlocksMax: 16, seed })
}

describe('a region that holds queues and comes back at the same address with another place in the file', () => {
  it.each([{ doorbells: 'trap' as const }, { doorbells: 'mmap' as const }])(
    'is used at its new place and never at the old one, with doorbells by $doorbells',
    async ({ doorbells }) => {
      const { path } = await serve(cleanup, { doorbells })
      const guest = await attachGuest(cleanup, path, { layOut, doorbells })
      const queue = await createQueue(guest, 16)
      const before = new Uint8Array(BLOCK_BYTES).fill(0x11)
      await queue.writeBytes(1, 0, BLOCK_BYTES, before)
      const left = await guest.memory.move(guest.client, queueRegion(guest), 2 * QUEUE_REGION_BYTES)
      const after = new Uint8Array(BLOCK_BYTES).fill(0x22)
      await queue.writeBytes(1, 1, BLOCK_BYTES, after)
      expect(await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(before)
      expect(await queue.readBytes(1, 1, BLOCK_BYTES, BLOCK_BYTES)).toEqual(after)
      expect(left.isUntouched).toBe(true)
      expect(guest.driver.anomalies).toEqual([])
    }
  )

  it('is used in another file as well', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 16)
    await queue.flush(1)
    const file = GuestFile.create(QUEUE_REGION_BYTES)
    const left = await guest.memory.move(guest.client, queueRegion(guest), 0, file)
    await queue.writeBytes(1, 5, BLOCK_BYTES, new Uint8Array(BLOCK_BYTES).fill(0x33))
    const read = await queue.readBytes(1, 5, BLOCK_BYTES, BLOCK_BYTES)
    expect(read).toEqual(new Uint8Array(BLOCK_BYTES).fill(0x33))
    expect(left.isUntouched).toBe(true)
  })

  it('can move a hundred times between commands, through every lap of the queue', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 8)
    const disk = verifier(guest, 100)
    let untouched = true
    for (let round = 0; round < 100; round++) {
      await disk.run([queue], { depth: 7, commands: 11 })
      const left = await guest.memory.move(guest.client, queueRegion(guest), (round % 3 + 1) * QUEUE_REGION_BYTES)
      await disk.run([queue], { depth: 3, commands: 3 })
      untouched &&= left.isUntouched
    }
    await disk.check(queue)
    expect(untouched).toBe(true)
    expect(guest.driver.anomalies).toEqual([])
  })

  it.each([{ doorbells: 'posted' as const }, { doorbells: 'mmap' as const }])(
    'can move a hundred times under load, with doorbells by $doorbells',
    async ({ doorbells }) => {
      const { path } = await serve(cleanup, { doorbells: doorbells === 'mmap' ? 'mmap' : 'trap' })
      const guest = await attachGuest(cleanup, path, { layOut, doorbells })
      const queue = await createQueue(guest, 32)
      const disk = verifier(guest, 200)
      const load = disk.run([queue], { depth: 24, commands: 3000 })
      let untouched = true
      for (let round = 0; round < 100; round++) {
        const left = await guest.memory.move(guest.client, queueRegion(guest), (round % 3 + 1) * QUEUE_REGION_BYTES)
        await guest.client.getInfo()
        untouched &&= left.isUntouched
      }
      await load
      await disk.check(queue)
      expect(untouched).toBe(true)
      expect(guest.driver.anomalies).toEqual([])
    }
  )

  it.each([{ doorbells: 'trap' as const }, { doorbells: 'mmap' as const }])(
    'can move a thousand times under load, with doorbells by $doorbells',
    async ({ doorbells }) => {
      const { path } = await serve(cleanup, { doorbells, graceMs: 60_000 })
      const guest = await attachGuest(cleanup, path, { layOut, doorbells })
      const queue = await createQueue(guest, 64)
      const disk = verifier(guest, 1000)
      let isMoving = true
      const load = async (): Promise<void> => {
        while (isMoving) await disk.run([queue], { depth: 4, commands: 32 })
      }
      const loaded = load()
      const isUntouched = await moveAround(guest, 1000)
      isMoving = false
      await loaded
      await disk.check(queue)
      expect(isUntouched).toBe(true)
      expect(guest.driver.anomalies).toEqual([])
    }
  )

  it.each([{ doorbells: 'trap' as const }, { doorbells: 'mmap' as const }])(
    'serves a command whose doorbell rang while the queue was away, with doorbells by $doorbells',
    async ({ doorbells }) => {
      const { path, events } = await serve(cleanup, { doorbells, graceMs: 60_000 })
      const guest = await attachGuest(cleanup, path, { layOut, doorbells })
      const queue = await createQueue(guest, 16)
      // A doorbell in shared memory overtakes an unmap that is still on its way.
      await guest.memory.unmap(guest.client, [queueRegion(guest)])
      const flushed = queue.flush(1)
      // The controller has looked for the command, and found no memory there.
      await until(() => events().some(event => event.type === 'fault' && event.iova === QUEUE_IOVA))
      expect(queue.submission.pendingCount).toBe(1)
      await guest.memory.map(guest.client, [queueRegion(guest)])
      await flushed
      expect((await guest.driver.registers.status()).fatal).toBe(false)
    }
  )

  it('is fatal where it stays away for longer than the grace time, until the controller is reset', async () => {
    const { path } = await serve(cleanup, { graceMs: 10 })
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 16)
    await guest.memory.unmap(guest.client, [queueRegion(guest)])
    const lost = queue.flush(1).catch((error: unknown) => error)
    await guest.driver.registers.waitFatal()
    await guest.memory.map(guest.client, [queueRegion(guest)])
    const again = await createQueue(guest, 16)
    expect(await lost).toBeInstanceOf(CommandAbandonedError)
    await again.flush(1)
    expect((await guest.driver.registers.status()).fatal).toBe(false)
  })

  it('is not missed while there is nothing to do', async () => {
    const { path } = await serve(cleanup, { graceMs: 0 })
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 16)
    await guest.memory.unmap(guest.client, [queueRegion(guest)])
    for (let turn = 0; turn < 20; turn++) await guest.client.getInfo()
    await guest.memory.map(guest.client, [queueRegion(guest)])
    await queue.flush(1)
    expect((await guest.driver.registers.status()).fatal).toBe(false)
  })

  it('gets its completions when it returns, where only the completion queue was away', async () => {
    const { path, events } = await serve(cleanup, { graceMs: 60_000 })
    const guest = await attachGuest(cleanup, path, { layOut })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, completionIova: QUEUE_IOVA })
    await guest.memory.unmap(guest.client, [queueRegion(guest)])
    const flushes = Array.from({ length: 10 }, () => queue.flush(1))
    await until(() => events().some(event => event.type === 'fault' && event.iova === QUEUE_IOVA))
    expect(queue.submission.pendingCount).toBe(10)
    await guest.memory.map(guest.client, [queueRegion(guest)])
    await Promise.all(flushes)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('may come back in pieces', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 128)
    const { client, memory } = guest
    const region = queueRegion(guest)
    await queue.flush(1)
    await client.unmapDma(region.iova, region.byteLength)
    for (let at = 0; at < region.byteLength; at += 4 * KIB) {
      const fileOffset = region.fileOffset + at
      await client.mapDma({
        iova: region.iova + at,
        byteLength: 4 * KIB,
        descriptor: region.file.descriptor,
        fileOffset
      })
    }
    const disk = verifier(guest, 5)
    await disk.run([queue], { depth: 64, commands: 300 })
    await disk.check(queue)
    expect(memory.areGuardsIntact).toBe(true)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('holds the admin queues too', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut })
    const completion = { adminSubmissionIova: QUEUE_IOVA, adminCompletionIova: QUEUE_IOVA + 32 * KIB }
    await guest.driver.enable(completion)
    const identity = await guest.driver.admin.identifyController()
    const left = await guest.memory.move(guest.client, queueRegion(guest), 3 * QUEUE_REGION_BYTES)
    expect(await guest.driver.admin.identifyController()).toEqual(identity)
    expect(left.isUntouched).toBe(true)
  })
})

describe('queues in memory that the client does not share', () => {
  it.each([{ which: 'submission', direction: 'read' }, { which: 'completion', direction: 'write' }])(
    'are served when they return before a late answer about the $which queue came',
    async ({ direction }) => {
      const { path } = await serve(cleanup, { graceMs: 60_000 })
      const guest = await attachGuest(cleanup, path, {
        layOut: memory => {
          memory.add({ iova: QUEUE_IOVA, byteLength: QUEUE_REGION_BYTES, shared: false })
          memory.reserve(QUEUE_IOVA, QUEUE_REGION_BYTES)
          memory.add({ iova: DATA_IOVA, byteLength: 16 * MIB })
        }
      })
      const { client, memory } = guest
      const queue = await createQueue(guest, 16)
      await queue.flush(1)
      let answer: () => void = () => undefined
      const answered = new Promise<void>(resolve => {
        answer = resolve
      })
      // A client that waits for the reply to its unmap may answer nothing meanwhile: QEMU does not.
      const asked = new Promise<void>(resolve => {
        client.dma.behaviour = request => {
          if (request.direction !== direction) return { kind: 'answer' }
          resolve()
          client.dma.behaviour = () => ({ kind: 'answer' })
          return { kind: 'delay', until: answered }
        }
      })
      const flushed = queue.flush(1)
      await asked
      await memory.unmap(client, [queueRegion(guest)])
      await memory.map(client, [queueRegion(guest)])
      answer()
      await flushed
      await queue.flush(1)
      expect(guest.driver.anomalies).toEqual([])
    }
  )
})

describe('data that moves', () => {
  it('is written at its new place', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, {
      layOut: memory => {
        layOut(memory)
        const file = GuestFile.create(256 * KIB)
        memory.add({ iova: 0x4000_0000, byteLength: 64 * KIB, file })
        memory.reserve(0x4000_0000, 64 * KIB)
      }
    })
    const queue = await createQueue(guest, 16)
    await queue.writeBytes(1, 0, BLOCK_BYTES, new Uint8Array(BLOCK_BYTES).fill(0x44))
    const left = await guest.memory.move(guest.client, guest.memory.regions[2]!, 128 * KIB)
    const command = { opcode: 2, nsid: 1, prp1: 0x4000_0200, cdw10: 0, cdw12: 0 }
    const completion = await queue.submit(command)
    expect(completion.status).toEqual({ sct: 0, sc: 0, dnr: false, more: false })
    expect(guest.memory.bytesAt(0x4000_0200, BLOCK_BYTES)).toEqual(new Uint8Array(BLOCK_BYTES).fill(0x44))
    expect(left.isUntouched).toBe(true)
  })

  it('is a Data Transfer Error where it is gone, and the queue goes on', async () => {
    const { path, events } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut })
    const queue = await createQueue(guest, 16)
    const lost = await queue.submit({ opcode: 2, nsid: 1, prp1: 0x7000_0000, cdw10: 0, cdw12: 0 })
    await queue.flush(1)
    expect([lost.status.sct, lost.status.sc]).toEqual([0, 4])
    expect(events()).toContainEqual(expect.objectContaining({ type: 'fault', iova: 0x7000_0000 }))
  })
})
