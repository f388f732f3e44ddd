import { beforeEach, describe, expect, it } from 'vitest'
import { AdminOpcode, IoOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend } from '../fakes/fake-backend.js'
import { DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn } from '../fakes/harness.js'
import type { CompletionFields } from '../fakes/harness.js'

let harness: Harness

beforeEach(async () => {
  harness = new Harness()
  await harness.enable()
})

const createCq = (cdw10: number, cdw11: number, prp1 = IO_CQ): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.CREATE_IO_CQ, prp1, cdw10, cdw11 })
const createSq = (cdw10: number, cdw11: number, prp1 = IO_SQ): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.CREATE_IO_SQ, prp1, cdw10, cdw11 })
const deleteSq = (id: number): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: id })
const deleteCq = (id: number): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.DELETE_IO_CQ, cdw10: id })

describe('Create I/O Completion Queue', () => {
  it.each([
    ['identifier 0', 7 << 16, 3, Status.INVALID_QUEUE_IDENTIFIER],
    ['an identifier above the number of queues', 7 << 16 | 5, 3, Status.INVALID_QUEUE_IDENTIFIER],
    ['a size of 0', 1, 3, Status.INVALID_QUEUE_SIZE],
    ['a size above MQES', 1024 << 16 | 1, 3, Status.INVALID_QUEUE_SIZE],
    ['PC=0', 7 << 16 | 1, 2, Status.INVALID_FIELD],
    ['a vector that is not there', 7 << 16 | 1, 65 << 16 | 3, Status.INVALID_INTERRUPT_VECTOR]
  ])('refuses %s', async (_what, cdw10, cdw11, status) => {
    expect(await createCq(cdw10, cdw11)).toMatchObject({ status, isFinal: true })
  })

  it('refuses a ring that is not aligned to a page', async () => {
    expect((await createCq(7 << 16 | 1, 3, IO_CQ + 16)).status).toBe(Status.PRP_OFFSET_INVALID)
  })

  it('takes a size of MQES, and each identifier once', async () => {
    expect((await createCq(1023 << 16 | 1, 3)).status).toBe(Status.SUCCESS)
    expect((await createCq(7 << 16 | 1, 3)).status).toBe(Status.INVALID_QUEUE_IDENTIFIER)
  })
})

describe('Create I/O Submission Queue', () => {
  it.each([
    ['completion queue 0', 7 << 16 | 1, 1, Status.INVALID_QUEUE_IDENTIFIER],
    ['a completion queue out of range', 7 << 16 | 1, 5 << 16 | 1, Status.INVALID_QUEUE_IDENTIFIER],
    ['a completion queue that does not exist', 7 << 16 | 1, 2 << 16 | 1, Status.COMPLETION_QUEUE_INVALID],
    ['identifier 0', 7 << 16, 1 << 16 | 1, Status.INVALID_QUEUE_IDENTIFIER],
    ['a size of 0', 1, 1 << 16 | 1, Status.INVALID_QUEUE_SIZE],
    ['a size above MQES', 1024 << 16 | 1, 1 << 16 | 1, Status.INVALID_QUEUE_SIZE],
    ['PC=0', 7 << 16 | 1, 1 << 16, Status.INVALID_FIELD]
  ])('refuses %s', async (_what, cdw10, cdw11, status) => {
    await createCq(7 << 16 | 1, 3)
    expect(await createSq(cdw10, cdw11)).toMatchObject({ status, isFinal: true })
  })

  it('lets every queue that Number of Queues grants be created', async () => {
    for (const id of [1, 2, 3, 4]) {
      expect((await harness.createCompletionQueue(id, IO_CQ + id * 0x1000, 8)).status).toBe(Status.SUCCESS)
      expect((await harness.createSubmissionQueue(id, IO_SQ + id * 0x1000, 8)).status).toBe(Status.SUCCESS)
    }
  })

  it('lets several queues share a completion queue', async () => {
    await harness.createCompletionQueue(1, IO_CQ, 16)
    await harness.createSubmissionQueue(1, IO_SQ, 8, 1)
    await harness.createSubmissionQueue(2, IO_SQ + 0x1000, 8, 1)
    const first = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 8 })
    const second = new HostQueue(harness, 2, { sq: IO_SQ + 0x1000, cq: IO_CQ, size: 8, cqId: 1 })
    first.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: 10 })
    second.put({ opcode: IoOpcode.FLUSH, nsid: 1, cid: 20 })
    first.ring()
    second.ring()
    const shared = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 16 })
    const completions = [await shared.next(), await shared.next()]
    expect(completions.map(({ sqid, cid, sqhd }) => [sqid, cid, sqhd])).toEqual([[1, 10, 1], [2, 20, 1]])
  })
})

describe('Delete I/O queues', () => {
  it('refuses the admin queues and queues that do not exist', async () => {
    for (const id of [0, 1, 99]) {
      expect((await deleteSq(id)).status).toBe(Status.INVALID_QUEUE_IDENTIFIER)
      expect((await deleteCq(id)).status).toBe(Status.INVALID_QUEUE_IDENTIFIER)
    }
  })

  it('refuses a completion queue that is in use', async () => {
    await harness.createCompletionQueue(1, IO_CQ, 8)
    await harness.createSubmissionQueue(1, IO_SQ, 8)
    expect((await deleteCq(1)).status).toBe(Status.INVALID_QUEUE_DELETION)
    expect((await deleteSq(1)).status).toBe(Status.SUCCESS)
    expect((await deleteSq(1)).status).toBe(Status.INVALID_QUEUE_IDENTIFIER)
    expect((await deleteCq(1)).status).toBe(Status.SUCCESS)
    expect((await harness.createCompletionQueue(1, IO_CQ, 8)).status).toBe(Status.SUCCESS)
  })

  it('waits for the commands in flight and tells them first', async () => {
    const backend = new FakeBackend()
    harness = new Harness({ backends: [backend] })
    const queue = await harness.start()
    let open: () => void = () => undefined
    backend.gate = new Promise(resolve => {
      open = resolve
    })
    queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })
    queue.ring()
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    harness.admin.put({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })
    harness.admin.ring()
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect([harness.admin.peek(), queue.peek()]).toEqual([undefined, undefined])
    open()
    expect((await harness.admin.next()).status).toBe(Status.SUCCESS)
    expect(queue.peek()).toMatchObject({ status: Status.SUCCESS, cid: 1 })
  })

  it('ends a deletion that a reset overtakes without a completion', async () => {
    const backend = new FakeBackend()
    harness = new Harness({ backends: [backend] })
    const queue = await harness.start()
    let open: () => void = () => undefined
    backend.gate = new Promise(resolve => {
      open = resolve
    })
    queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
    queue.ring()
    await nextTurn()
    harness.admin.put({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: 1 })
    harness.admin.ring()
    await nextTurn()
    backend.gate = undefined
    await harness.disable()
    open()
    await harness.enable()
    expect((await harness.admin.run({ opcode: AdminOpcode.KEEP_ALIVE })).status).toBe(Status.SUCCESS)
  })
})
