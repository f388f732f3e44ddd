import type { Virtqueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Harness, turns, until } from './harness.js'

let harness: Harness

afterEach(async () => {
  vi.restoreAllMocks()
  await harness.close()
})

function add (queue: Virtqueue, count = 1): void {
  for (let index = 0; index < count; index++) queue.add({ readable: [harness.space(1)], writable: [] })
}

const formats = [false, true].flatMap(isPacked => [false, true].map(hasEventIndex => ({ isPacked, hasEventIndex })))

describe.each(formats)('notifications (packed: $isPacked, event index: $hasEventIndex)', options => {
  it('are wanted by a queue that is idle, at first and after its work', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue(options)
    await turns()
    add(queue)
    expect(queue.ring.wantsNotification()).toBe(true)
    await queue.notify()
    await turns()
    add(queue)
    expect(queue.ring.wantsNotification()).toBe(true)
    expect(harness.takenCount).toBe(1)
  })

  it('are not wanted while the queue is served', async () => {
    const wishes: boolean[] = []
    harness = await Harness.create({
      take: chain => {
        if (harness.takenCount === 1) {
          queue.ring.wantsNotification()
          add(queue)
          wishes.push(queue.ring.wantsNotification())
        }
        chain.complete(0)
      }
    })
    const queue = harness.startQueue(options)
    await turns()
    add(queue)
    await queue.notify()
    await until(() => harness.takenCount === 2)
    expect(wishes).toEqual([false])
  })

  it('are not wanted for a while after its work, if the driver was that quick before, and nothing is missed', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000)
    harness = await Harness.create({ times: { watchUs: 20_000 }, take: chain => chain.complete(0) })
    const queue = harness.startQueue(options)
    const wishes: boolean[] = []
    for (const atMs of [1000, 1010, 1012, 1020, 1034, 1050, 1100]) {
      clock.mockReturnValue(atMs)
      await turns()
      queue.ring.wantsNotification()
      add(queue)
      const isWanted = queue.ring.wantsNotification()
      wishes.push(isWanted)
      if (isWanted) await queue.notify()
      await until(() => queue.take() !== undefined)
    }
    // It took 10 ms the second time, so it is looked for half as long again.
    expect(wishes).toEqual([true, true, false, false, false, true, true])
  })

  it('of nothing, and of queues that are not there, do no harm', async () => {
    harness = await Harness.create({ queueCount: 2 })
    const queue = harness.startQueue(options)
    harness.engine.notify(0)
    harness.engine.notify(1)
    harness.engine.notify(7)
    await turns()
    add(queue)
    await queue.kick()
    await turns()
    expect([harness.takenCount, harness.broken]).toEqual([1, []])
  })

  it('before DRIVER_OK are not lost', async () => {
    harness = await Harness.create()
    const queue = harness.createQueue(options)
    add(queue)
    await queue.notify()
    await turns()
    expect(harness.takenCount).toBe(0)
    harness.engine.start()
    await turns()
    expect(harness.takenCount).toBe(1)
  })
})

describe.each(formats)('interrupts (packed: $isPacked, event index: $hasEventIndex)', options => {
  it('come once for all that was completed in a turn', async () => {
    harness = await Harness.create({ take: chain => chain.complete(0) })
    const queue = harness.startQueue({ ...options, vector: 0 })
    add(queue, 5)
    await queue.kick()
    await turns()
    expect(harness.interrupts).toEqual([0])
  })

  it('do not come where the driver wants none', async () => {
    harness = await Harness.create({ take: chain => chain.complete(0) })
    const queue = harness.startQueue({ ...options, vector: undefined })
    add(queue, 5)
    await queue.kick()
    await turns()
    expect(queue.take()).toBeDefined()
    expect(harness.interrupts).toEqual([])
  })

  it('come for every buffer of a driver that waits for each, around the ring', async () => {
    harness = await Harness.create({ take: chain => chain.complete(0) })
    const queue = harness.startQueue({ ...options, vector: 0, size: 4 })
    for (let round = 0; round < 30; round++) {
      add(queue)
      await queue.kick()
      await until(() => harness.interrupts.length === round + 1)
      expect(queue.reap()).toBe(1)
    }
  })

  it('are of the queue that was used', async () => {
    harness = await Harness.create({ queueCount: 3, take: chain => chain.complete(0) })
    harness.createQueue({ ...options, index: 0, vector: 0 })
    const queue = harness.startQueue({ ...options, index: 2, vector: 0 })
    add(queue)
    await queue.kick()
    await turns()
    expect(harness.interrupts).toEqual([2])
  })
})

describe('an event index', () => {
  it.each([false, true])('is passed once, by the buffer that it names (packed: %s)', async isPacked => {
    harness = await Harness.create()
    const queue = harness.startQueue({ isPacked, hasEventIndex: true, vector: 0, size: 8 })
    add(queue, 6)
    await queue.kick()
    await turns()
    // An interrupt is wanted when the third one is used.
    const word = new Uint8Array(4)
    if (isPacked) {
      new DataView(word.buffer).setUint32(0, 2 | 1 << 15 | 2 << 16, true)
      harness.memory.store(queue.spec.place.driver, word)
    } else {
      new DataView(word.buffer).setUint16(0, 2, true)
      harness.memory.store(queue.spec.place.driver + 4 + 8 * 2, word.subarray(0, 2))
    }
    const counts: number[] = []
    for (let index = 0; index < 6; index++) {
      harness.complete()
      await turns()
      counts.push(harness.interrupts.length)
    }
    expect(counts).toEqual([0, 0, 1, 1, 1, 1])
  })
})
