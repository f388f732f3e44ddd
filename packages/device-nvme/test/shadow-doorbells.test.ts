import { describe, expect, it, vi } from 'vitest'
import { AdminOpcode, IoOpcode } from '../src/opcodes.js'
import { Status } from '../src/status.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn } from './fakes/harness.js'
import type { HarnessOptions } from './fakes/harness.js'

const SHADOW = 0x5_0000
const EVENTS = 0x5_1000
const SQ1 = 8
const CQ1 = 12

async function configure (harness: Harness, prp1 = SHADOW, prp2 = EVENTS): Promise<number> {
  return (await harness.admin.run({ opcode: AdminOpcode.DOORBELL_BUFFER_CONFIG, prp1, prp2 })).status & 0x3ff
}

async function start (size = 8, options: HarnessOptions = {}) {
  const harness = new Harness(options)
  const queue = await harness.start(size)
  await configure(harness)
  return { harness, queue }
}

function event (harness: Harness, at: number): number {
  return harness.view.getUint32(EVENTS + at, true)
}

function ringShadow (harness: Harness, at: number, value: number): void {
  harness.view.setUint32(SHADOW + at, value, true)
}

/** Until the event index of the submission queue is what is given: the controller wants to be rung for the next. */
async function untilArmed (harness: Harness, tail: number): Promise<void> {
  for (let turn = 0; turn < 100_000 && event(harness, SQ1) !== tail; turn++) await nextTurn()
  expect(event(harness, SQ1)).toBe(tail)
}

async function turns (count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

describe('Doorbell Buffer Config', () => {
  it('is refused for buffers that are not aligned, or are one and the same', async () => {
    const harness = new Harness()
    await harness.enable()
    const refused = [
      await configure(harness, SHADOW + 4, EVENTS),
      await configure(harness, SHADOW, EVENTS + 0x800),
      await configure(harness, SHADOW, SHADOW)
    ]
    expect(refused).toEqual([Status.INVALID_FIELD, Status.INVALID_FIELD, Status.INVALID_FIELD])
    expect(await configure(harness)).toBe(Status.SUCCESS)
  })

  it('is not there where doorbells are polled', async () => {
    const harness = new Harness({ mmap: true })
    await harness.enable()
    expect(await configure(harness)).toBe(Status.INVALID_OPCODE)
  })

  it('asks for a ring of each submission queue, and for none of a completion queue', async () => {
    const { harness } = await start(8)
    expect([event(harness, SQ1), event(harness, CQ1)]).toEqual([0, 7])
    expect(event(harness, 0)).toBe(harness.admin.tail)
  })

  it('is taken over by queues that are created later', async () => {
    const harness = new Harness()
    await harness.enable()
    await configure(harness)
    await harness.createCompletionQueue(1, IO_CQ, 8)
    await harness.createSubmissionQueue(1, IO_SQ, 8)
    expect([event(harness, SQ1), event(harness, CQ1)]).toEqual([0, 7])
  })

  it('ends with the controller being disabled', async () => {
    const { harness } = await start()
    await harness.disable()
    harness.bytes.fill(0xaa, SHADOW, EVENTS + 0x1000)
    harness.bytes.fill(0, IO_SQ, IO_SQ + 64 * 8)
    harness.bytes.fill(0, IO_CQ, IO_CQ + 16 * 8)
    const queue = await harness.start(8)
    const completion = await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })
    expect(completion.status).toBe(0)
    expect(event(harness, SQ1)).toBe(0xaaaa_aaaa)
  })
})

describe.each([['at once', false], ['later', true]])(
  'a submission queue whose back end answers %s',
  (_when, isAsync) => {
    const options = { backends: [new FakeBackend({ isAsync })] }

    it('is served by its entry without a ring while it is watched', async () => {
      const { harness, queue } = await start(8, { ...options, shadowWatchMs: 60_000 })
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
      ringShadow(harness, SQ1, queue.tail)
      queue.ring()
      for (let round = 0; round < 50; round++) {
        const completion = await queue.next()
        expect(completion.status).toBe(0)
        queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
        ringShadow(harness, SQ1, queue.tail)
      }
    })

    it('is never asked to ring while it is watched, whatever lap it is in', async () => {
      const { harness, queue } = await start(8, { ...options, shadowWatchMs: 60_000 })
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
      ringShadow(harness, SQ1, queue.tail)
      queue.ring()
      let rings = 0
      for (let round = 0; round < 50; round++) {
        await queue.next()
        const before = queue.tail
        queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
        ringShadow(harness, SQ1, queue.tail)
        if (event(harness, SQ1) === before) rings++
      }
      expect(rings).toBe(0)
    })

    it('is asked to ring when nothing comes for a while', async () => {
      const { harness, queue } = await start(8, options)
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
      ringShadow(harness, SQ1, 1)
      queue.ring()
      await queue.next()
      await untilArmed(harness, 1)
    })

    it('is not taken back by a register that comes late', async () => {
      const { harness, queue } = await start(8, { ...options, shadowWatchMs: 60_000 })
      for (let index = 0; index < 3; index++) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
      ringShadow(harness, SQ1, 3)
      harness.writeDoorbell(2, 1)
      for (let index = 0; index < 3; index++) await queue.next()
      harness.writeDoorbell(2, 2)
      await turns()
      expect(queue.peek()).toBeUndefined()
      expect(harness.read32(0x1c)).toBe(1)
    })
  }
)

describe('shadow doorbells', () => {
  it('look once more after they asked for a ring', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 0 })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 1)
    // The host submits between the store of the event index and the look that follows it.
    let isDone = false
    const store = Atomics.store.bind(Atomics) as (words: Uint32Array, index: number, value: number) => number
    const racing = vi.spyOn(Atomics, 'store').mockImplementation((words, index, value) => {
      const stored = store(words as unknown as Uint32Array, index, Number(value))
      if (!isDone && index === (EVENTS + SQ1) >>> 2 && Number(value) === 1) {
        isDone = true
        queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
        ringShadow(harness, SQ1, 2)
      }
      return stored as never
    })
    try {
      queue.ring()
      await queue.next()
      await queue.next()
    } finally {
      racing.mockRestore()
    }
    expect(isDone).toBe(true)
  })

  it('leave a queue alone whose host rings the register only, as Linux does for the admin queue', async () => {
    const { harness } = await start()
    for (let round = 0; round < 70; round++) {
      const { status } = await harness.admin.run({ opcode: AdminOpcode.GET_FEATURES, cdw10: 7 })
      expect(status).toBe(0)
    }
  })

  it('ask for the head of a completion queue that is full, and of no other', async () => {
    const harness = new Harness({ shadowWatchMs: 0 })
    await harness.enable()
    await harness.createCompletionQueue(1, IO_CQ, 4)
    await harness.createSubmissionQueue(1, IO_SQ, 16)
    await configure(harness)
    const queue = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 16 })
    const host = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 4 })
    for (let index = 0; index < 7; index++) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 7)
    queue.ring()
    await turns()
    for (let index = 0; index < 3; index++) expect(host.take()).toBeDefined()
    expect(event(harness, CQ1)).toBe(0)
    ringShadow(harness, CQ1, host.head)
    host.acknowledge()
    await turns()
    for (let index = 0; index < 3; index++) expect(host.take()).toBeDefined()
    expect(host.take()).toBeUndefined()
    ringShadow(harness, CQ1, host.head)
    host.acknowledge()
    await turns()
    expect(host.take()).toBeDefined()
    // One place behind the head that was told last.
    expect(event(harness, CQ1)).toBe(1)
  })

  it('see what the host consumed without a ring, before they stop for want of room', async () => {
    const { harness, queue } = await start(4, { shadowWatchMs: 0 })
    for (let round = 0; round < 20; round++) {
      queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })
      ringShadow(harness, SQ1, queue.tail)
      queue.ring()
      await turns()
      expect(queue.take()?.status).toBe(0)
      ringShadow(harness, CQ1, queue.head)
    }
  })

  it('lower the pin when the host has consumed everything', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 0 })
    harness.interrupts.mode = 'intx'
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 1)
    queue.ring()
    await turns()
    expect(queue.take()).toBeDefined()
    expect([event(harness, CQ1), harness.interrupts.isAsserted]).toEqual([0, true])
    ringShadow(harness, CQ1, 1)
    queue.acknowledge()
    expect(harness.interrupts.isAsserted).toBe(false)
  })

  it('are looked at when their memory comes', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 0 })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 1)
    queue.ring()
    await queue.next()
    await untilArmed(harness, 1)
    harness.dma.unmap(0)
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 2)
    await turns()
    expect(queue.peek()).toBeUndefined()
    harness.view.setUint32(EVENTS + SQ1, 5, true)
    harness.dma.map(0, 0, { memory: harness.bytes })
    await queue.next()
    await untilArmed(harness, 2)
  })

  it('are not taken back by a register that comes late, while their memory is away', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 60_000 })
    for (let tail = 1; tail <= 2; tail++) {
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
      ringShadow(harness, SQ1, tail)
      queue.ring()
      await queue.next()
    }
    harness.dma.unmap(0)
    harness.writeDoorbell(2, 1)
    harness.dma.map(0, 0, { memory: harness.bytes })
    await turns()
    expect(queue.peek()).toBeUndefined()
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 3)
    queue.ring()
    await queue.next()
  })

  it('are left alone while bus mastering is off, and looked at when it is on again', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 60_000 })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 1)
    queue.ring()
    await queue.next()
    harness.dma.setBusMaster(false)
    const looks = vi.spyOn(harness.dma, 'resolve')
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 2)
    await turns()
    expect(looks).not.toHaveBeenCalled()
    harness.dma.setBusMaster(true)
    await queue.next()
  })

  it('tell a value that makes no sense once, and go on with the next', async () => {
    const { harness, queue } = await start(8, { shadowWatchMs: 60_000 })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 1)
    queue.ring()
    await queue.next()
    harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
    harness.admin.ring()
    ringShadow(harness, SQ1, 0x1234)
    const told = await harness.admin.next()
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    ringShadow(harness, SQ1, 2)
    const { status } = await queue.next()
    expect([told.result, status]).toEqual([0x0001_0100, 0])
  })

  it('work in memory that is reached by message', async () => {
    const { harness, queue } = await start(4, { isShared: false })
    for (let round = 0; round < 20; round++) {
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: round })
      ringShadow(harness, SQ1, queue.tail)
      if (round === 0 || event(harness, SQ1) === (queue.tail + 3) % 4) queue.ring()
      const completion = await queue.next()
      ringShadow(harness, CQ1, queue.head)
      expect(completion).toMatchObject({ cid: round, status: 0 })
      await untilArmed(harness, queue.tail)
    }
  })
})
