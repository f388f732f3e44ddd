import { beforeEach, describe, expect, it } from 'vitest'
import { AdminOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { DATA, Harness, nextTurn } from '../fakes/harness.js'
import type { CompletionFields } from '../fakes/harness.js'

let harness: Harness

beforeEach(async () => {
  harness = new Harness()
  await harness.enable()
})

const requestEvent = (): number => {
  const cid = harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
  harness.admin.ring()
  return cid
}
const getErrorLog = (retain = false): Promise<CompletionFields> =>
  harness.admin.run({
    opcode: AdminOpcode.GET_LOG_PAGE,
    prp1: DATA,
    cdw10: 15 << 16 | (retain ? 1 << 15 : 0) | 1
  })

describe('admin commands', () => {
  it.each([[0x03], [0x0d], [0x10], [0x14], [0x7f], [0x80], [0xff]])('has no opcode %i', async opcode => {
    expect(await harness.admin.run({ opcode })).toMatchObject({ status: Status.INVALID_OPCODE, isFinal: true })
  })

  it.each([['fused, first', 0x01], ['fused, second', 0x02], ['an SGL', 0x40], ['an SGL in a segment', 0x80]])(
    'refuses a command that is %s',
    async (_what, flags) => {
      const completion = await harness.admin.run({ opcode: AdminOpcode.IDENTIFY, flags, prp1: DATA, cdw10: 1 })
      expect(completion).toMatchObject({ status: Status.INVALID_FIELD, isFinal: true })
    }
  )

  it('reports the head of the submission queue and the command identifier', async () => {
    await harness.admin.run({ opcode: AdminOpcode.KEEP_ALIVE })
    const completion = await harness.admin.run({ opcode: AdminOpcode.KEEP_ALIVE, cid: 0xbeef })
    expect(completion).toMatchObject({ cid: 0xbeef, sqid: 0, sqhd: 2 })
  })
})

describe('Asynchronous Event Request', () => {
  it('waits for an event: a doorbell of a queue that is not there', async () => {
    const cid = requestEvent()
    await nextTurn()
    expect(harness.admin.peek()).toBeUndefined()
    harness.writeDoorbell(6, 1)
    expect(await harness.admin.next()).toMatchObject({ cid, status: Status.SUCCESS, result: 0x0001_0000 })
  })

  it('tells of a doorbell value that makes no sense', async () => {
    requestEvent()
    harness.writeDoorbell(0, 32)
    expect((await harness.admin.next()).result).toBe(0x0001_0100)
  })

  it('tells of a head beyond the completions', async () => {
    requestEvent()
    harness.writeDoorbell(1, 5)
    expect((await harness.admin.next()).result).toBe(0x0001_0100)
  })

  it('keeps an event until there is a request', async () => {
    harness.writeDoorbell(6, 1)
    requestEvent()
    expect((await harness.admin.next()).result).toBe(0x0001_0000)
  })

  it('masks a type of event until its log page was read', async () => {
    requestEvent()
    requestEvent()
    harness.writeDoorbell(6, 1)
    await harness.admin.next()
    harness.writeDoorbell(6, 1)
    await getErrorLog(true)
    harness.writeDoorbell(6, 1)
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(harness.admin.peek()).toBeUndefined()
    await getErrorLog()
    harness.writeDoorbell(6, 1)
    expect((await harness.admin.next()).result).toBe(0x0001_0000)
  })

  it('tells a host that asked for it, once for each time it looks, that a namespace changed', async () => {
    await harness.admin.run({ opcode: AdminOpcode.SET_FEATURES, cdw10: 0x0b, cdw11: 1 << 8 })
    requestEvent()
    requestEvent()
    harness.controller.namespaceChanged(1)
    expect(await harness.admin.next()).toMatchObject({ status: Status.SUCCESS, result: 0x0004_0002 })
    harness.controller.namespaceChanged(1)
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(harness.admin.peek()).toBeUndefined()
    await harness.admin.run({ opcode: AdminOpcode.GET_LOG_PAGE, prp1: DATA, cdw10: 1023 << 16 | 4 })
    harness.controller.namespaceChanged(1)
    expect((await harness.admin.next()).result).toBe(0x0004_0002)
  })

  it('does not tell a host that a namespace changed unless it asked for it', async () => {
    requestEvent()
    harness.controller.namespaceChanged(1)
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(harness.admin.peek()).toBeUndefined()
  })

  it('takes four requests and no more', async () => {
    for (let request = 0; request < 4; request++) requestEvent()
    const cid = requestEvent()
    expect(await harness.admin.next())
      .toMatchObject({ cid, status: Status.ASYNC_EVENT_REQUEST_LIMIT_EXCEEDED, isFinal: false })
  })

  it('leaves the admin queue usable though it has one place only', async () => {
    harness = new Harness()
    await harness.enable({ aqa: 1 << 16 | 31 })
    requestEvent()
    harness.admin.put({ opcode: AdminOpcode.KEEP_ALIVE })
    harness.admin.ring()
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(harness.admin.peek()).toMatchObject({ status: Status.SUCCESS, cid: 2 })
  })
})

describe('Abort', () => {
  it('ends a request that waits for an event', async () => {
    const cid = requestEvent()
    harness.admin.put({ opcode: AdminOpcode.ABORT, cdw10: cid << 16 })
    harness.admin.ring()
    const completions = [await harness.admin.next(), await harness.admin.next()]
    expect(completions.find(each => each.cid === cid)).toMatchObject({ status: Status.ABORT_REQUESTED, isFinal: false })
    expect(completions.find(each => each.cid !== cid)).toMatchObject({ status: Status.SUCCESS, result: 0 })
  })

  it('says that it did not abort what it did not find', async () => {
    expect(await harness.admin.run({ opcode: AdminOpcode.ABORT, cdw10: 99 << 16 }))
      .toMatchObject({ status: Status.SUCCESS, result: 1 })
  })

  it('refuses a queue that is not there', async () => {
    expect((await harness.admin.run({ opcode: AdminOpcode.ABORT, cdw10: 9 })).status).toBe(Status.INVALID_FIELD)
  })
})
