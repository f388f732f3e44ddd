import { beforeEach, describe, expect, it, vi } from 'vitest'
import { AdminOpcode, IoOpcode } from '../src/opcodes.js'
import { Status } from '../src/status.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn } from './fakes/harness.js'

let harness: Harness
let queue: HostQueue

beforeEach(async () => {
  harness = new Harness({ mmap: true })
  queue = await harness.start()
})

describe('mapped doorbells', () => {
  it('are seen without a message, after an idle time too', async () => {
    expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
    await new Promise(resolve => setTimeout(resolve, 20))
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    await expect.poll(() => queue.peek()?.status, { timeout: 5000 }).toBe(Status.SUCCESS)
  })

  it('can be written by message as well', async () => {
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    harness.write32(0x1000 + 8, queue.tail)
    expect((await queue.next()).status).toBe(Status.SUCCESS)
    expect(harness.page![2]).toBe(queue.tail)
  })

  it('are zeroed when the controller is enabled', async () => {
    harness.page!.fill(7)
    await harness.disable()
    harness.page!.fill(7)
    await harness.enable()
    expect([...harness.page!.subarray(0, 10)]).toEqual(Array<number>(10).fill(0))
  })

  it('are zeroed when a queue is created, or deleted', async () => {
    await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })
    expect([harness.page![2], harness.page![3]]).toEqual([1, 1])
    await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })
    await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_CQ, cdw10: 1 })
    expect([harness.page![2], harness.page![3]]).toEqual([0, 0])
    harness.page!.fill(9, 2, 4)
    await harness.createCompletionQueue(1, IO_CQ, 8)
    await harness.createSubmissionQueue(1, IO_SQ, 8)
    expect([harness.page![2], harness.page![3]]).toEqual([0, 0])
  })

  it('tell of a value that makes no sense once', async () => {
    harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
    harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
    harness.admin.ring()
    harness.page![2] = 0xffff
    expect((await harness.admin.next()).result).toBe(0x0001_0100)
    await harness.admin.run({ opcode: AdminOpcode.GET_LOG_PAGE, prp1: 0x10_0000, cdw10: 15 << 16 | 1 })
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    expect(harness.admin.peek()).toBeUndefined()
  })

  it('are looked at again when a new client brings memory', async () => {
    const memory = harness.dma.unmap(0)
    harness.controller.clientGone()
    harness.bytes = harness.dma.map(0, memory.length, { memory })
    expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
  })
})

describe('the doorbells of many queues', () => {
  it('are all seen, whichever is rung', async () => {
    harness = new Harness({ mmap: true, queues: 12 })
    await harness.enable()
    const pairs: HostQueue[] = []
    for (let id = 1; id <= 12; id++) {
      const place = { sq: IO_SQ + id * 0x1000, cq: IO_CQ + id * 0x1000, size: 8 }
      await harness.createCompletionQueue(id, place.cq, place.size)
      await harness.createSubmissionQueue(id, place.sq, place.size)
      pairs.push(new HostQueue(harness, id, place))
    }
    for (const pair of [...pairs, ...[...pairs].reverse(), ...pairs]) {
      expect((await pair.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
    }
  })

  it('are not those of a queue that was deleted and created again', async () => {
    for (let round = 0; round < 5; round++) {
      expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
      await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })
      await harness.admin.run({ opcode: AdminOpcode.DELETE_IO_CQ, cdw10: 1 })
      harness.bytes.fill(0, IO_CQ, IO_CQ + 64 * 16)
      await harness.createCompletionQueue(1, IO_CQ, 64)
      await harness.createSubmissionQueue(1, IO_SQ, 64)
      queue = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 64 })
    }
  })
})

describe('back ends that can be polled', () => {
  it('are, while they have work', async () => {
    const backend = new FakeBackend()
    let answer: (() => void) | undefined
    const polled = Object.assign(backend, {
      poll: () => {
        const settles = answer !== undefined
        answer?.()
        answer = undefined
        return settles
      }
    })
    const poll = vi.spyOn(polled, 'poll')
    harness = new Harness({ mmap: true, backends: [polled] })
    queue = await harness.start()
    await nextTurn()
    const before = poll.mock.calls.length
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    expect(poll.mock.calls.length).toBe(before)
    for (let round = 0; round < 3; round++) {
      backend.gate = new Promise<void>(resolve => {
        answer = resolve
      })
      expect((await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA, cdw12: 0 })).status).toBe(Status.SUCCESS)
    }
  })
})
