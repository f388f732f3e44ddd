import { DmaFault } from '@pcikit/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { VirtqueueChain } from '../../src/chain.js'
import { Harness, turns, until } from './harness.js'

let harness: Harness

afterEach(() => harness.close())

/** Two queues, and a chain of each with the device. */
async function setUp (isPacked = false) {
  harness = await Harness.create({ queueCount: 2, entriesMax: 4 })
  const queues = [0, 1].map(index => harness.createQueue({ index, isPacked, size: 4, vector: 0 }))
  harness.engine.start()
  for (const queue of queues) {
    queue.add({ readable: [harness.space(4)], writable: [harness.space(4)] })
    await queue.kick()
  }
  await until(() => harness.taken.length === 2)
  return { queues, chains: harness.taken.splice(0) as [VirtqueueChain, VirtqueueChain] }
}

/** Whether a promise is settled by now. */
async function isSettled (promise: Promise<void>): Promise<boolean> {
  let settled = false
  void promise.then(() => (settled = true))
  await turns()
  return settled
}

describe('a reset', () => {
  it('takes chains in flight away, and nothing of them reaches memory', async () => {
    const { queues, chains: [chain] } = await setUp()
    harness.engine.reset()
    expect(chain.isLive).toBe(false)
    expect(chain.writable.open(0, 4)).toBe(DmaFault.REVOKED)
    expect(chain.writable.lease.byteLength).toBe(0)
    expect(chain.readable.read(0, new Uint8Array(1))).toBe(DmaFault.REVOKED)
    chain.complete(4)
    await turns()
    expect(queues[0]!.take()).toBeUndefined()
    expect([harness.interrupts, harness.dma.openLeaseCount]).toEqual([[], 0])
  })

  it('stops what was listed', async () => {
    const { queues, chains: [chain] } = await setUp()
    chain.complete(0)
    harness.engine.reset()
    await turns()
    expect(queues[0]!.take()).toBeUndefined()
  })

  it('leaves the place of a stuck chain alone until it is completed', async () => {
    const { chains: [stuck] } = await setUp()
    harness.engine.reset()
    const queue = harness.startQueue({ size: 4 })
    for (let index = 0; index < 4; index++) queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await turns()
    expect(harness.taken.map(({ slot }) => slot)).not.toContain(stuck.slot)
    expect(harness.taken.length).toBe(3)
    stuck.complete(0)
    await until(() => harness.taken.length === 4)
    expect(harness.taken[3]!.slot).toBe(stuck.slot)
    expect(queue.take()).toBeUndefined()
  })

  it('starts the rings at their beginning', async () => {
    for (const isPacked of [false, true]) {
      const { chains } = await setUp(isPacked)
      for (const chain of chains) chain.complete(0)
      await turns()
      harness.engine.reset()
      const queue = harness.startQueue({ size: 4, isPacked: !isPacked })
      const id = queue.add({ readable: [harness.space(1)], writable: [] })
      await queue.kick()
      await until(() => harness.taken.length === 1)
      harness.complete()
      await turns()
      expect(queue.take()?.id).toBe(id)
      if (!isPacked) await harness.close()
    }
  })

  it('is over for a device when its chains are completed', async () => {
    const { chains } = await setUp()
    harness.engine.reset()
    const idle = harness.engine.whenIdle()
    chains[0].complete(0)
    expect(await isSettled(idle)).toBe(false)
    chains[1].complete(0)
    await idle
  })
})

describe('the reset of a queue', () => {
  it('waits for the chains of that queue, and the others run on', async () => {
    const { queues, chains } = await setUp()
    const done = harness.engine.resetQueue(0)
    expect([chains[0].isLive, chains[1].isLive]).toEqual([false, true])
    chains[1].complete(0)
    await turns()
    expect(queues[1]!.take()).toBeDefined()
    expect(await isSettled(done)).toBe(false)
    chains[0].complete(4)
    await done
    await turns()
    expect(queues[0]!.take()).toBeUndefined()
    expect(harness.interrupts).toEqual([1])
  })

  it('lets it be enabled again, elsewhere, while the device is up', async () => {
    const { chains } = await setUp()
    chains[0].complete(0)
    await harness.engine.resetQueue(0)
    const queue = harness.createQueue({ index: 0, size: 2, isPacked: false, vector: 0 })
    const id = queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await until(() => harness.taken.length === 1)
    harness.complete()
    await turns()
    expect(queue.take()?.id).toBe(id)
  })

  it('of one that was never enabled is over at once', async () => {
    harness = await Harness.create({ queueCount: 2 })
    await harness.engine.resetQueue(1)
  })
})

describe('a device that is halted', () => {
  it('takes and tells nothing, and gets its chains back', async () => {
    const { queues, chains } = await setUp()
    harness.engine.halt()
    for (const chain of chains) chain.complete(0)
    queues[0]!.add({ readable: [harness.space(1)], writable: [] })
    harness.engine.notify(0)
    await turns()
    expect([queues[0]!.take(), harness.taken.length, harness.interrupts.length]).toEqual([undefined, 0, 0])
    await harness.engine.whenIdle()
  })
})

describe('a device without a client', () => {
  it('goes on at a notification, and not before', async () => {
    const { queues, chains } = await setUp()
    harness.engine.suspend()
    chains[0].complete(0)
    await harness.memory.unmap(harness.client)
    await harness.memory.map(harness.client)
    await turns()
    expect(queues[0]!.take()).toBeUndefined()
    harness.engine.notify(1)
    await until(() => queues[0]!.take() !== undefined)
    expect(harness.interrupts).toEqual([0])
  })
})

describe('a device that throws', () => {
  it('is broken', async () => {
    harness = await Harness.create({
      take: () => {
        throw new Error('no')
      }
    })
    const queue = harness.startQueue()
    queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await turns()
    expect(harness.broken).toEqual(['The device failed.'])
  })
})
