import { FaultPolicy } from '@pcikit/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AdminOpcode, IoOpcode } from '../src/opcodes.js'
import { Status } from '../src/status.js'
import { FakeBackend, stuckBackend } from './fakes/fake-backend.js'
import { DATA, Harness, IO_CQ, nextTurn, PAGE } from './fakes/harness.js'
import type { CommandFields, HostQueue } from './fakes/harness.js'

const CC = 0x14
const CSTS = 0x1c
const RDY = 1
const CFS = 2
const SHST_COMPLETE = 2 << 2
const AWAY = 0x5000_0000
const read = { opcode: IoOpcode.READ, nsid: 1, prp1: DATA }
const write = { opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA }
const zero = { opcode: IoOpcode.WRITE_ZEROES, nsid: 1 }
const flush = { opcode: IoOpcode.FLUSH, nsid: 1 }
/** Eight blocks from 16 on. */
const late = { ...write, prp1: AWAY, cdw10: 16, cdw12: 7 }

afterEach(() => {
  vi.useRealTimers()
})

async function turns (count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

/** A controller whose back end works on one command, over memory that can go, and answers all others at once. */
async function startWith (fields: CommandFields, faultPolicy: FaultPolicy = FaultPolicy.FAULT) {
  const { backend, release, unstick } = stuckBackend()
  const other = new FakeBackend()
  const harness = new Harness({ backends: [backend, other], faultPolicy })
  harness.dma.map(AWAY, PAGE)
  harness.dma.drainTurns = 3
  const queue = await harness.start()
  queue.put({ cid: 0x1111, ...fields })
  queue.ring()
  await turns()
  unstick()
  return { harness, queue, backend, release }
}

/** The same after the command's memory was taken away, and the host was told. */
async function startLate (fields: CommandFields = late) {
  const started = await startWith(fields)
  started.harness.dma.unmap(AWAY)
  await started.queue.next()
  return started
}

/** The same after a reset, which the host was told nothing of. */
async function startAfterReset (fields: CommandFields) {
  const { harness, backend, release } = await startWith(fields)
  await harness.disable()
  const queue = await harness.start()
  return { harness, queue, backend, release }
}

/** Submits a command, gives it time to end, and says whether it did. */
async function ends (queue: HostQueue, fields: CommandFields): Promise<boolean> {
  queue.put(fields)
  queue.ring()
  await turns()
  const completion = queue.take()
  queue.acknowledge()
  return completion !== undefined
}

describe('a command whose memory is taken away while its back end does not answer', () => {
  it.each([
    ['a read', { ...read, prp1: AWAY }],
    ['a write', late]
  ])('%s ends at once with Data Transfer Error, and only once', async (_what, fields) => {
    const { harness, queue, release } = await startWith(fields)
    expect(queue.peek()).toBeUndefined()
    const memory = harness.dma.unmap(AWAY)
    expect(await queue.next()).toMatchObject({ cid: 0x1111, status: Status.DATA_TRANSFER_ERROR, isFinal: false })
    const before = Buffer.from(memory)
    release()
    await turns()
    expect(queue.peek()).toBeUndefined()
    expect([before.equals(memory), harness.dma.openLeases]).toEqual([true, 0])
  })

  it('leaves its place in the queues to others, as often as it happens', async () => {
    const { harness, queue, release } = await startWith({ ...read, prp1: AWAY })
    for (let round = 0; round < 200; round++) {
      const memory = harness.dma.unmap(AWAY)
      expect((await queue.next()).status).toBe(Status.DATA_TRANSFER_ERROR)
      harness.dma.map(AWAY, PAGE, { memory })
      harness.backends[0]!.gate = new Promise(() => undefined)
      queue.put({ ...read, prp1: AWAY })
      queue.ring()
      await turns(2)
    }
    harness.backends[0]!.gate = undefined
    expect((await queue.run(flush)).status).toBe(Status.SUCCESS)
    release()
  })

  it('stops the controller where the fault policy is fatal', async () => {
    const { harness } = await startWith({ ...read, prp1: AWAY }, FaultPolicy.FATAL)
    harness.dma.unmap(AWAY)
    await turns()
    expect(harness.read32(CSTS)).toBe(RDY | CFS)
  })

  it('does not end before the back end was asked: its PRP list is still on its way', async () => {
    const harness = new Harness({ isShared: false })
    harness.dma.map(AWAY, PAGE)
    const queue = await harness.start()
    harness.view.setBigUint64(DATA, BigInt(DATA + PAGE), true)
    harness.view.setBigUint64(DATA + 8, BigInt(DATA + 2 * PAGE), true)
    queue.put({ ...read, prp1: AWAY, prp2: DATA, cdw12: 3 * PAGE / 512 - 1 })
    queue.ring()
    while (harness.dma.openLeases === 0) await nextTurn()
    harness.dma.unmap(AWAY)
    expect(harness.dma.openLeases).toBe(1)
    expect((await queue.next()).status).toBe(Status.DATA_TRANSFER_ERROR)
    await turns()
    expect([queue.peek(), harness.dma.openLeases]).toEqual([undefined, 0])
  })

  it('does not keep its queue from being deleted', async () => {
    const { harness, release } = await startLate()
    const deleted = await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })
    expect(deleted.status).toBe(Status.SUCCESS)
    release()
    await turns()
    expect(harness.dma.openLeases).toBe(0)
  })
})

describe('while a late write of blocks 16 to 23 is in the back end', () => {
  const waits: Record<string, CommandFields> = {
    'a read of the first block': { ...read, cdw10: 16 },
    'a read that ends in the first block': { ...read, cdw10: 10, cdw12: 6 },
    'a write of the last block': { ...write, cdw10: 23 },
    'a write of more': { ...write, prp2: DATA + PAGE, cdw10: 12, cdw12: 15 },
    'zeroes in its midst': { ...zero, cdw10: 20 },
    'a comparison': { opcode: IoOpcode.COMPARE, nsid: 1, prp1: DATA, cdw10: 16 },
    'a deallocation': { opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw11: 4 }
  }
  const goesOn: Record<string, CommandFields> = {
    'a read of the block before': { ...read, cdw10: 8, cdw12: 7 },
    'a write of the block after': { ...write, cdw10: 24 },
    'the same blocks of another namespace': { ...write, nsid: 2, cdw10: 16 },
    'a flush': flush,
    'a hint': { opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw11: 1 }
  }

  it.each(Object.entries(waits))('%s waits until it has ended', async (_what, fields) => {
    const { harness, queue, release } = await startLate()
    expect(await ends(queue, fields)).toBe(false)
    expect(harness.dma.openLeases).toBe(1)
    release()
    expect([Status.SUCCESS, Status.COMPARE_FAILURE]).toContain((await queue.next()).status)
    expect(await ends(queue, fields)).toBe(true)
  })

  it.each(Object.entries(goesOn))('%s goes on', async (_what, fields) => {
    const { queue, release } = await startLate()
    expect(await ends(queue, fields)).toBe(true)
    release()
  })

  it('the newer data win', async () => {
    const { harness, queue, backend, release } = await startLate()
    harness.bytes.fill(0x99, DATA, DATA + PAGE)
    queue.put({ ...write, cdw10: 16, cdw12: 7 })
    queue.ring()
    await turns()
    release()
    expect((await queue.next()).status).toBe(Status.SUCCESS)
    expect(backend.bytes.subarray(16 * 512, 24 * 512).every(byte => byte === 0x99)).toBe(true)
    expect(backend.calls).toEqual(['write 16 8', 'write 16 8'])
  })

  it('those that wait keep their order', async () => {
    const { queue, release } = await startLate()
    const cids = [read, write, read].map(fields => queue.put({ ...fields, cdw10: 17 }))
    queue.ring()
    await turns()
    release()
    expect([await queue.next(), await queue.next(), await queue.next()].map(({ cid }) => cid)).toEqual(cids)
  })

  it('a command that waits can be aborted, and another cannot', async () => {
    const { harness, queue, backend, release } = await startLate()
    const cid = queue.put({ ...write, cdw10: 16 })
    queue.ring()
    await turns()
    const abort = { opcode: AdminOpcode.ABORT, cdw10: cid << 16 | 1 }
    expect((await harness.admin.run(abort)).result).toBe(0)
    expect(await queue.next()).toMatchObject({ cid, status: Status.ABORT_REQUESTED })
    expect((await harness.admin.run(abort)).result).toBe(1)
    release()
    await turns()
    expect(backend.calls).toEqual(['write 16 8'])
  })

  it('a command that waits ends with the deletion of its queue', async () => {
    const { harness, queue, release } = await startLate()
    const cid = queue.put({ ...write, cdw10: 16 })
    queue.ring()
    await turns()
    expect((await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })).status).toBe(Status.SUCCESS)
    expect(await queue.next()).toMatchObject({ cid, status: Status.ABORTED_SQ_DELETION })
    release()
  })

  it('a command that waits ends with a reset, untold, and leaves nothing behind', async () => {
    const { harness, queue, backend, release } = await startLate()
    queue.put({ ...write, cdw10: 16 })
    queue.ring()
    await turns()
    await harness.disable()
    harness.bytes.fill(0, IO_CQ, IO_CQ + PAGE)
    const again = await harness.start()
    release()
    await turns()
    expect([again.peek(), harness.dma.openLeases]).toEqual([undefined, 0])
    expect(backend.calls).toEqual(['write 16 8'])
  })

  it('a write that fails late is no failure of the media', async () => {
    const { backend, harness, queue } = await startWith({ ...flush })
    let fail: (error: Error) => void = () => undefined
    backend.gate = new Promise((_resolve, reject) => {
      fail = reject
    })
    queue.put(late)
    queue.ring()
    await turns()
    backend.gate = undefined
    harness.dma.unmap(AWAY)
    expect((await queue.next()).status).toBe(Status.DATA_TRANSFER_ERROR)
    expect(await ends(queue, { ...read, cdw10: 16 })).toBe(false)
    fail(new Error('EFAULT'))
    expect((await queue.next()).status).toBe(Status.SUCCESS)
  })
})

describe('after a reset, while a back end is stuck with', () => {
  const stuck: Record<string, CommandFields> = {
    'a read': { ...read, cdw10: 16 },
    'a write': { ...write, cdw10: 16 },
    'zeroes': { ...zero, cdw10: 16 },
    'a flush': flush
  }

  it.each(Object.entries(stuck))('%s, the controller can be enabled and used', async (_what, fields) => {
    const { harness, queue, release } = await startAfterReset(fields)
    expect(harness.read32(CSTS)).toBe(RDY)
    expect((await queue.run({ ...write, cdw10: 400 })).status).toBe(Status.SUCCESS)
    release()
    await turns()
    expect([queue.peek(), harness.dma.openLeases, harness.read32(CSTS)]).toEqual([undefined, 0, RDY])
    expect((await queue.run({ ...read, cdw10: 16 })).status).toBe(Status.SUCCESS)
  })

  it('zeroes, their blocks wait and get the newer data', async () => {
    const { harness, queue, backend, release } = await startAfterReset({ ...zero, cdw10: 16, cdw12: 7 })
    harness.bytes.fill(0x99, DATA, DATA + PAGE)
    expect(await ends(queue, { ...write, cdw10: 20 })).toBe(false)
    release()
    expect((await queue.next()).status).toBe(Status.SUCCESS)
    expect(backend.bytes[20 * 512]).toBe(0x99)
  })

  it('a deallocation, the blocks of its ranges wait, and no others', async () => {
    const { backend, release, unstick } = stuckBackend()
    const harness = new Harness({ backends: [backend] })
    const queue = await harness.start()
    for (const [index, lba] of [100, 300].entries()) {
      harness.view.setUint32(DATA + index * 16 + 4, 8, true)
      harness.view.setBigUint64(DATA + index * 16 + 8, BigInt(lba), true)
    }
    queue.put({ opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw10: 1, cdw11: 4 })
    queue.ring()
    await turns()
    unstick()
    await harness.disable()
    const again = await harness.start()
    const outcomes: boolean[] = []
    for (const cdw10 of [99, 108, 299]) outcomes.push(await ends(again, { ...read, cdw10 }))
    expect(outcomes).toEqual([true, true, true])
    for (const cdw10 of [100, 307]) outcomes.push(await ends(again, { ...read, cdw10 }))
    expect(outcomes.slice(3)).toEqual([false, false])
    release()
    expect([(await again.next()).status, (await again.next()).status]).toEqual([Status.SUCCESS, Status.SUCCESS])
  })

  it('a write, a second reset changes nothing', async () => {
    const { harness, release } = await startAfterReset({ ...write, cdw10: 16 })
    await harness.controller.reset()
    const queue = await harness.start()
    expect(await ends(queue, { ...read, cdw10: 16 })).toBe(false)
    release()
    expect((await queue.next()).status).toBe(Status.SUCCESS)
  })
})

describe('a shutdown with a back end that is stuck', () => {
  it('takes the memory of what is in flight, flushes, and completes', async () => {
    const { harness, queue, backend, release } = await startWith({ ...read, prp1: AWAY })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    harness.write32(CC, harness.read32(CC) | 1 << 14)
    await turns()
    expect(harness.read32(CSTS)).toBe(RDY | 1 << 2)
    await vi.advanceTimersByTimeAsync(2000)
    await turns()
    expect(harness.read32(CSTS)).toBe(RDY | SHST_COMPLETE)
    expect(backend.calls).toEqual(['read 0 1', 'flush'])
    expect((await queue.next()).status).toBe(Status.DATA_TRANSFER_ERROR)
    release()
  })
})
