import type { Virtqueue } from '@pcikit/testkit'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Harness, turns } from './harness.js'
import type { HarnessOptions, QueueOptions } from './harness.js'

let harness: Harness

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})

afterEach(async () => {
  vi.useRealTimers()
  await harness.close()
})

async function start (options: QueueOptions, others: HarnessOptions = {}): Promise<Virtqueue> {
  harness = await Harness.create({ moderatesInterrupts: true, take: chain => chain.complete(0), ...others })
  return harness.startQueue({ vector: 0, size: 32, ...options })
}

/** The driver gives out buffers one by one, each of which is used before the next. */
async function give (queue: Virtqueue, count: number, gapMs = 0.01): Promise<void> {
  for (let index = 0; index < count; index++) {
    queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await turns()
    vi.advanceTimersByTime(gapMs)
  }
}

/** Until the device has seen the driver take `count` together. */
async function teach (queue: Virtqueue, count: number): Promise<void> {
  await give(queue, count)
  expect(queue.reap()).toBe(count)
  harness.interrupts.length = 0
}

describe.each([false, true])('with event indexes (packed: %s)', isPacked => {
  const options = { isPacked, hasEventIndex: true }

  it('a driver that has one buffer at a time is interrupted for each, at once', async () => {
    const queue = await start(options)
    for (let round = 1; round <= 7; round++) {
      await give(queue, 1)
      expect(harness.interrupts).toHaveLength(round)
      queue.reap()
    }
  })

  it('a driver that never has a second one is made to wait for it ever more seldom', async () => {
    const queue = await start(options)
    let waits = 0
    for (let round = 1; round <= 300; round++) {
      await give(queue, 1)
      if (harness.interrupts.length < round) {
        waits++
        vi.advanceTimersByTime(2)
        await turns()
      }
      expect(harness.interrupts).toHaveLength(round)
      expect(queue.reap()).toBe(1)
    }
    expect(waits).toBeGreaterThan(0)
    expect(waits).toBeLessThan(8)
  })

  it('a driver that takes bunches is interrupted when one is done, around the ring', async () => {
    const queue = await start(options)
    await teach(queue, 6)
    for (let round = 1; round <= 7; round++) {
      await give(queue, 5)
      expect(harness.interrupts).toHaveLength(round - 1)
      await give(queue, 1)
      expect(harness.interrupts).toHaveLength(round)
      expect(queue.reap()).toBe(6)
    }
  })

  it('a driver that paused is interrupted for what there is', async () => {
    const queue = await start(options)
    await teach(queue, 6)
    await give(queue, 2)
    expect(harness.interrupts).toEqual([])
    vi.advanceTimersByTime(1)
    await turns()
    expect(harness.interrupts).toEqual([0])
  })

  it('a driver that took what was held is not interrupted for it', async () => {
    const queue = await start(options)
    await teach(queue, 6)
    await give(queue, 2)
    expect(queue.reap()).toBe(2)
    vi.advanceTimersByTime(10)
    await turns()
    expect(harness.interrupts).toEqual([])
  })

  it('a driver that wants no interrupts any more gets none that was held', async () => {
    const queue = await start(options)
    await teach(queue, 6)
    await give(queue, 2)
    queue.ring.allowInterrupts(false)
    vi.advanceTimersByTime(10)
    await turns()
    expect(harness.interrupts).toEqual([])
  })

  it('a driver is told after a tenth of a millisecond at most while the device works on something', async () => {
    const queue = await start(options, { take: chain => harness.takenCount > 6 ? undefined : chain.complete(0) })
    await teach(queue, 5)
    await give(queue, 2, 0)
    expect(harness.interrupts).toEqual([])
    vi.advanceTimersByTime(0.11)
    await turns()
    expect(harness.interrupts).toEqual([0])
  })

  it('a queue that is disabled keeps no interrupt', async () => {
    const queue = await start(options)
    await teach(queue, 6)
    await give(queue, 2)
    await harness.engine.resetQueue(0)
    vi.advanceTimersByTime(10)
    await turns()
    expect(harness.interrupts).toEqual([])
  })

  it('nothing is held where it is not asked for', async () => {
    const queue = await start(options, { moderatesInterrupts: false })
    await teach(queue, 6)
    await give(queue, 1)
    expect(harness.interrupts).toEqual([0])
  })
})

it.each([false, true])(
  'where a driver does not tell how far it is, it is told at once (packed: %s)',
  async isPacked => {
    const queue = await start({ isPacked })
    await teach(queue, 6)
    await give(queue, 1)
    expect(harness.interrupts).toEqual([0])
  }
)

it.each([false, true])('of memory that has to be asked for, drivers are told at once (packed: %s)', async isPacked => {
  const regions = [{ iova: 0x10_0000, byteLength: 0x40_0000, shared: false }]
  const queue = await start({ isPacked, hasEventIndex: true }, { regions })
  for (let round = 1; round <= 7; round++) {
    await give(queue, 1)
    await turns(50)
    expect(harness.interrupts).toHaveLength(round)
    expect(queue.reap()).toBe(1)
  }
})
