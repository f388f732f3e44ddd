import type { Virtqueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { Harness, turns, until } from './harness.js'
import type { HarnessOptions } from './harness.js'

const times = { doorbells: 'mmap', pollSocketUs: 200, pollIdleUs: 1000, pollBackOffMs: 4 } as const

let harness: Harness

afterEach(() => harness.close())

async function setUp (options: HarnessOptions, queueOptions = {}): Promise<Virtqueue> {
  harness = await Harness.create({ times, ...options })
  return harness.startQueue(queueOptions)
}

const formats = [false, true].flatMap(isPacked => [false, true].map(hasEventIndex => ({ isPacked, hasEventIndex })))

describe.each(formats)('a polled queue (packed: $isPacked, event index: $hasEventIndex)', options => {
  it('is served without a notification, and wants none', async () => {
    const queue = await setUp({ take: chain => chain.complete(0) }, { ...options, vector: 0 })
    await turns()
    for (let round = 0; round < 30; round++) {
      queue.add({ readable: [harness.space(1)], writable: [] })
      expect(queue.ring.wantsNotification()).toBe(false)
      await until(() => queue.reap() > 0)
    }
    expect([harness.takenCount, harness.interrupts.length, queue.notificationCount]).toEqual([30, 30, 0])
  })

  it('is served when it was idle for long', async () => {
    const queue = await setUp({ take: chain => chain.complete(0) }, options)
    const ended = performance.now() + 20
    await until(() => performance.now() > ended)
    queue.add({ readable: [harness.space(1)], writable: [] })
    await until(() => queue.take() !== undefined)
  })

  it('tells of what was completed while it was idle', async () => {
    const queue = await setUp({}, options)
    queue.add({ readable: [harness.space(1)], writable: [] })
    await until(() => harness.taken.length === 1)
    const ended = performance.now() + 20
    await until(() => performance.now() > ended)
    harness.complete()
    await until(() => queue.take() !== undefined)
  })

  it('goes on when its memory comes back', async () => {
    const queue = await setUp({ take: chain => chain.complete(0) }, options)
    await harness.memory.unmap(harness.client)
    queue.add({ readable: [harness.space(1)], writable: [] })
    await turns()
    expect(harness.takenCount).toBe(0)
    await harness.memory.map(harness.client)
    await until(() => queue.take() !== undefined)
    queue.ring.wantsNotification()
    queue.add({ readable: [harness.space(1)], writable: [] })
    expect(queue.ring.wantsNotification()).toBe(false)
    await until(() => queue.take() !== undefined)
  })
})

describe('a polled device', () => {
  it('serves all of many queues', async () => {
    harness = await Harness.create({ times, queueCount: 40, take: chain => chain.complete(0) })
    const queues = Array.from({ length: 40 }, (_, index) => harness.createQueue({ index, size: 4 }))
    harness.engine.start()
    for (const queue of queues) queue.add({ readable: [harness.space(1)], writable: [] })
    await until(() => queues.every(queue => queue.ring.take() !== undefined))
    expect(harness.takenCount).toBe(40)
  })

  it('has promises settled in time when its back end is polled', async () => {
    let settle: (() => void) | undefined
    const queue = await setUp({
      take: chain => void new Promise<void>(resolve => (settle = resolve)).then(() => chain.complete(0)),
      poll: () => {
        const isDone = settle !== undefined
        settle?.()
        settle = undefined
        return isDone
      }
    })
    for (let round = 0; round < 10; round++) {
      queue.add({ readable: [harness.space(1)], writable: [] })
      await until(() => queue.take() !== undefined)
    }
  })

  it('rests when it is reset, halted or without a client', async () => {
    let polls = 0
    await setUp({
      poll: () => {
        polls++
        return false
      }
    })
    for (const stop of ['halt', 'suspend', 'reset'] as const) {
      await until(() => polls > 0)
      harness.engine[stop]()
      polls = 0
      const ended = performance.now() + 20
      await until(() => performance.now() > ended)
      expect(polls).toBe(0)
      harness.engine.reset()
      harness.startQueue()
    }
  })
})
