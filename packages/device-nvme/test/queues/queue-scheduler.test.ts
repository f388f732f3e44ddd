import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { AdminOpcode, IoOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend } from '../fakes/fake-backend.js'
import { ADMIN_CQ, ADMIN_SQ, DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn } from '../fakes/harness.js'
import type { CompletionFields } from '../fakes/harness.js'

async function turns (count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

function takeAll (queue: HostQueue): CompletionFields[] {
  const all: CompletionFields[] = []
  for (let completion = queue.take(); completion !== undefined; completion = queue.take()) all.push(completion)
  return all
}

describe.each([
  ['shared memory', true, false],
  ['shared memory and a slow back end', true, true],
  ['memory reached by message', false, false],
  ['memory reached by message and a slow back end', false, true]
])('queues in %s', (_how, isShared, isAsync) => {
  it('go round many times, in order, with the phase inverted each time', async () => {
    const harness = new Harness({ backends: [new FakeBackend({ isAsync })], isShared })
    const queue = await harness.start(5)
    for (let round = 0; round < 30; round++) {
      const completion = await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1, cid: round })
      expect(completion).toMatchObject({ cid: round, status: 0, sqhd: (round + 1) % 5 })
    }
  })

  it('complete everything that one doorbell submits, and interrupt at least once', async () => {
    const harness = new Harness({ backends: [new FakeBackend({ isAsync })], isShared })
    const queue = await harness.start(256)
    const cids = Array.from({ length: 255 }, () => queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA }))
    queue.ring()
    const completions: CompletionFields[] = []
    while (completions.length < 255) completions.push(await queue.next())
    expect(completions.map(({ cid }) => cid).sort((a, b) => a - b)).toEqual(cids)
    expect(harness.interrupts.triggered).toContain(1)
  })

  it('never overrun a completion queue that the host does not empty', async () => {
    const harness = new Harness({ backends: [new FakeBackend({ isAsync })], isShared })
    await harness.enable()
    await harness.createCompletionQueue(1, IO_CQ, 4)
    await harness.createSubmissionQueue(1, IO_SQ, 16)
    const queue = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 16 })
    for (let index = 0; index < 15; index++) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: index })
    queue.ring()
    await turns(20)
    const host = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 4 })
    const seen: number[] = []
    while (seen.length < 15) {
      const batch = takeAll(host)
      expect(batch.length).toBeLessThanOrEqual(3)
      seen.push(...batch.map(({ cid }) => cid))
      host.acknowledge()
      await turns(20)
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, index) => index))
  })
})

describe('QueueScheduler', () => {
  it('goes on when the host consumes a completion before its write is acknowledged', async () => {
    const harness = new Harness({ isShared: false })
    const queue = await harness.start(4)
    let acknowledge: () => void = () => undefined
    harness.dma.acknowledgement = new Promise(resolve => {
      acknowledge = resolve
    })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: 1 })
    queue.ring()
    while (queue.peek() === undefined) await nextTurn()
    queue.take()
    queue.acknowledge()
    for (const cid of [2, 3, 4]) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid })
    queue.ring()
    await turns()
    harness.dma.acknowledgement = undefined
    acknowledge()
    const completions = [await queue.next(), await queue.next(), await queue.next()]
    expect(completions.map(({ cid }) => cid)).toEqual([2, 3, 4])
  })

  it.each([{ when: 'before' }, { when: 'after' }])(
    'goes on when a completion arrived whose write is told to have failed, consumed $when that',
    async ({ when }) => {
      const harness = new Harness({ isShared: false })
      const queue = await harness.start(4)
      let fail: (fault: DmaFault) => void = () => undefined
      harness.dma.acknowledgement = new Promise(resolve => {
        fail = resolve
      })
      queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: 1 })
      queue.ring()
      while (queue.peek() === undefined) await nextTurn()
      harness.dma.acknowledgement = undefined
      // Other memory comes meanwhile: the controller looks again at once, and must not wait for more.
      harness.dma.map(0x7000_0000, 4096)
      if (when === 'after') fail(DmaFault.REVOKED)
      await turns()
      queue.take()
      queue.acknowledge()
      fail(DmaFault.REVOKED)
      await turns()
      for (const cid of [2, 3, 4]) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid })
      queue.ring()
      const completions = [await queue.next(), await queue.next(), await queue.next()]
      expect(completions.map(({ cid }) => cid)).toEqual([2, 3, 4])
    }
  )

  it('interrupts once for all completions of a turn', async () => {
    const harness = new Harness()
    const queue = await harness.start()
    harness.interrupts.triggered.length = 0
    for (let index = 0; index < 40; index++) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    await turns(3)
    expect(takeAll(queue)).toHaveLength(40)
    expect(harness.interrupts.triggered).toEqual([1])
  })

  it('serves queues in turn, a batch at a time', async () => {
    const backend = new FakeBackend()
    const harness = new Harness({ backends: [backend] })
    await harness.enable()
    const queues = []
    for (const id of [1, 2]) {
      await harness.createCompletionQueue(id, IO_CQ + id * 0x1000, 128)
      await harness.createSubmissionQueue(id, IO_SQ + id * 0x2000, 128)
      queues.push(new HostQueue(harness, id, { sq: IO_SQ + id * 0x2000, cq: IO_CQ + id * 0x1000, size: 128 }))
    }
    for (const queue of queues) {
      for (let index = 0; index < 100; index++) {
        queue.put({ opcode: IoOpcode.WRITE_ZEROES, nsid: 1, cdw10: queue.id * 100 })
      }
    }
    for (const queue of queues) queue.ring()
    await turns()
    const order = backend.calls.map(call => Number(call.split(' ')[1]) / 100)
    expect(order.filter(id => id === 1)).toHaveLength(100)
    expect(order.indexOf(2)).toBeLessThan(order.lastIndexOf(1))
  })

  it('gives the event loop its turn while there is work', async () => {
    const harness = new Harness()
    const queue = await harness.start(1024)
    for (let index = 0; index < 1000; index++) queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    await nextTurn()
    await nextTurn()
    const early = takeAll(queue).length
    expect(early).toBeGreaterThan(0)
    expect(early).toBeLessThan(1000)
    await turns(20)
    expect(takeAll(queue)).toHaveLength(1000 - early)
  })
})

describe('memory that goes and comes back', () => {
  it('moves under the queues without any other event', async () => {
    const harness = new Harness({ bare: true })
    harness.bytes = harness.dma.map(0, 0x40_0000)
    harness.view = new DataView(harness.bytes.buffer)
    const queue = await harness.start()
    for (let round = 0; round < 10; round++) {
      const old = harness.dma.unmap(0)
      harness.bytes = harness.dma.map(0, 0x40_0000, { memory: old.slice() })
      harness.view = new DataView(harness.bytes.buffer)
      old.fill(0x55)
      const completion = await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })
      expect(completion.status).toBe(Status.SUCCESS)
      expect(old.every(byte => byte === 0x55)).toBe(true)
    }
  })

  it('takes up a doorbell that rang while the submission queue was away', async () => {
    const harness = new Harness({ bare: true })
    harness.dma.map(0, 0x3_0000, { memory: harness.bytes.subarray(0, 0x3_0000).slice() })
    const low = harness.dma.regions[0]!.memory
    harness.bytes = low
    harness.view = new DataView(low.buffer)
    await harness.enable()
    const ring = new Uint8Array(0x2000)
    harness.dma.map(IO_SQ, 0x1000, { memory: ring })
    harness.dma.map(IO_CQ, 0x1000)
    await harness.createCompletionQueue(1, IO_CQ, 16)
    await harness.createSubmissionQueue(1, IO_SQ, 16)
    harness.dma.unmap(IO_SQ)
    ring[0] = IoOpcode.FLUSH
    ring[2] = 9
    ring[4] = 1
    harness.writeDoorbell(2, 1)
    await turns()
    const completions = harness.dma.regions.find(region => region.iova === IO_CQ)!.memory
    expect(completions[14]! & 1).toBe(0)
    harness.dma.map(IO_SQ, 0x2000, { memory: ring })
    await turns()
    expect([completions[12], completions[14]! & 1]).toEqual([9, 1])
  })

  it('tells what ended while the completion queue was away', async () => {
    const harness = new Harness()
    await harness.enable()
    const away = 0x5000_0000
    harness.dma.map(away, 0x1000)
    await harness.createCompletionQueue(1, away, 16)
    await harness.createSubmissionQueue(1, IO_SQ, 16)
    const queue = new HostQueue(harness, 1, { sq: IO_SQ, cq: away, size: 16 })
    harness.dma.unmap(away)
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: 5 })
    queue.ring()
    await turns()
    const ring = harness.dma.map(away, 0x1000)
    await turns()
    expect([ring[12], ring[14]! & 1]).toEqual([5, 1])
    expect(harness.read32(0x1c)).toBe(1)
  })

  it('is a fatal error when it stays away', async () => {
    const harness = new Harness({ graceMs: 1 })
    await harness.start()
    harness.dma.unmap(0)
    harness.writeDoorbell(2, 1)
    await expect.poll(() => harness.read32(0x1c)).toBe(3)
  })

  it('is no error while bus mastering is off, for as long as that takes', async () => {
    const harness = new Harness({ graceMs: 0 })
    const queue = await harness.start()
    harness.dma.setBusMaster(false)
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    await new Promise(resolve => setTimeout(resolve, 10))
    expect([harness.read32(0x1c), queue.peek()]).toEqual([1, undefined])
    harness.dma.setBusMaster(true)
    expect((await queue.next()).status).toBe(Status.SUCCESS)
  })

  it('fails a command whose data went away while the back end worked on it', async () => {
    const backend = new FakeBackend({ isAsync: true })
    const harness = new Harness({ backends: [backend] })
    const queue = await harness.start()
    harness.dma.map(0x5000_0000, 0x1000)
    queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: 0x5000_0000 })
    queue.ring()
    while (backend.calls.length === 0) await nextTurn()
    harness.dma.unmap(0x5000_0000)
    expect(await queue.next()).toMatchObject({ status: Status.DATA_TRANSFER_ERROR, isFinal: false })
  })

  it('is not touched after the client went, until a client rings', async () => {
    const backend = new FakeBackend({ isAsync: true })
    const harness = new Harness({ backends: [backend], graceMs: 0 })
    const queue = await harness.start()
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    while (backend.calls.length === 0) await nextTurn()
    const old = harness.dma.unmap(0)
    harness.controller.clientGone()
    await turns()
    const writes: number[] = []
    harness.dma.onWrite = iova => writes.push(iova)
    harness.bytes = harness.dma.map(0, 0x40_0000, { memory: old.slice() })
    harness.view = new DataView(harness.bytes.buffer)
    await turns()
    expect([queue.peek(), writes, harness.read32(0x1c)]).toEqual([undefined, [], 1])
    queue.acknowledge()
    expect((await queue.next()).status).toBe(Status.SUCCESS)
  })

  it('needs no write access to a submission queue, and no read access to a completion queue', async () => {
    const harness = new Harness({ bare: true })
    const copy = new Uint8Array(0x40_0000)
    harness.bytes = copy
    harness.view = new DataView(copy.buffer)
    harness.dma.map(ADMIN_SQ, 0x1_0000, { access: DmaAccess.READ, memory: new Uint8Array(0x1_0000) })
    harness.dma.map(ADMIN_CQ, 0x1_0000, { access: DmaAccess.WRITE, memory: new Uint8Array(0x1_0000) })
    const [commands, completions] = harness.dma.regions.map(region => region.memory)
    await harness.enable()
    commands![0] = AdminOpcode.KEEP_ALIVE
    commands![2] = 3
    harness.writeDoorbell(0, 1)
    await turns()
    expect([completions![12], completions![14]]).toEqual([3, 1])
  })
})
