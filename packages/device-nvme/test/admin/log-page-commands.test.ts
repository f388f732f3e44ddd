import { beforeEach, describe, expect, it } from 'vitest'
import { AdminOpcode, IoOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { DATA, Harness } from '../fakes/harness.js'
import type { CommandFields, CompletionFields, HostQueue } from '../fakes/harness.js'

let harness: Harness
let queue: HostQueue

beforeEach(async () => {
  harness = new Harness()
  queue = await harness.start()
})

/** Get Log Page of `byteLength` bytes, a multiple of 4. */
function getLog (lid: number, byteLength: number, fields: Partial<CommandFields> = {}): Promise<CompletionFields> {
  harness.bytes.fill(0xee, DATA, DATA + byteLength)
  const numberOfDwords = byteLength / 4 - 1
  return harness.admin.run({
    opcode: AdminOpcode.GET_LOG_PAGE,
    nsid: 0xffff_ffff,
    prp1: DATA,
    prp2: DATA + 0x1000,
    cdw10: ((numberOfDwords & 0xffff) << 16 | lid) >>> 0,
    cdw11: numberOfDwords >>> 16,
    ...fields
  })
}

const u64At = (offset: number): number => Number(harness.view.getBigUint64(DATA + offset, true))

describe('Get Log Page', () => {
  it('counts in the health log what was read and written', async () => {
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA, cdw12: 0 })
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA, cdw12: 0 })
    await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA, cdw12: 0 })
    expect((await getLog(0x02, 512)).status).toBe(Status.SUCCESS)
    expect(harness.view.getUint16(DATA + 1, true)).toBe(313)
    expect([32, 48, 64, 80, 112, 144].map(u64At)).toEqual([1, 1, 1, 2, 1, 0])
  })

  it('has the newest error first', async () => {
    await queue.run({ opcode: 0x7f, nsid: 1, cid: 77 })
    await queue.run({ opcode: IoOpcode.READ, nsid: 1, cid: 78, prp1: DATA, cdw10: 5000 })
    await getLog(0x01, 128)
    expect([u64At(0), u64At(64)]).toEqual([2, 1])
    expect([8, 10].map(offset => harness.view.getUint16(DATA + offset, true))).toEqual([1, 78])
    expect((harness.view.getUint16(DATA + 12, true) >>> 1) & 0x7ff).toBe(Status.LBA_OUT_OF_RANGE)
    expect(u64At(16)).toBe(5000)
    await getLog(0x02, 512)
    expect(u64At(176)).toBe(2)
  })

  it('has one firmware slot, the active one', async () => {
    await getLog(0x03, 512)
    expect(harness.bytes[DATA]).toBe(1)
    expect(Buffer.from(harness.bytes.subarray(DATA + 8, DATA + 16)).toString()).toBe('1.0     ')
  })

  it('has no changed namespaces', async () => {
    expect((await getLog(0x04, 4096)).status).toBe(Status.SUCCESS)
    expect(u64At(0)).toBe(0)
  })

  it('lists the namespaces that changed until the list was read to its end', async () => {
    harness.controller.namespaceChanged(7)
    harness.controller.namespaceChanged(3)
    harness.controller.namespaceChanged(7)
    const [numberOfDwords, retained] = [1023, 1 << 15]
    const lists: number[][] = []
    for (const cdw10 of [numberOfDwords << 16 | retained | 0x04, numberOfDwords << 16 | 0x04, undefined]) {
      await getLog(0x04, 4096, cdw10 === undefined ? {} : { cdw10 })
      lists.push([0, 4, 8].map(offset => harness.view.getUint32(DATA + offset, true)))
    }
    expect(lists).toEqual([[3, 7, 0], [3, 7, 0], [0, 0, 0]])
  })

  it('forgets with a reset which namespaces changed', async () => {
    harness.controller.namespaceChanged(1)
    await harness.disable()
    await harness.enable()
    await getLog(0x04, 4096)
    expect(u64At(0)).toBe(0)
  })

  it('says which commands there are', async () => {
    await getLog(0x05, 4096)
    const supported = (at: number): number => harness.view.getUint32(DATA + at, true) & 1
    expect([0x06, 0x0c, 0x7f].map(opcode => supported(opcode * 4))).toEqual([1, 1, 0])
    expect([0x01, 0x02, 0x09, 0x0c].map(opcode => supported(1024 + opcode * 4))).toEqual([1, 1, 1, 0])
  })

  it('starts at an offset, and ends with zeroes', async () => {
    await getLog(0x03, 512, { cdw12: 8 })
    expect(Buffer.from(harness.bytes.subarray(DATA, DATA + 4)).toString()).toBe('1.0 ')
    expect(harness.bytes[DATA + 511]).toBe(0)
  })

  it.each([
    ['an offset past the end', { cdw12: 516 }],
    ['an offset above 4 GiB', { cdw13: 1 }],
    ['an offset that is no dword', { cdw12: 2 }],
    ['one namespace', { nsid: 1 }],
    ['more than MDTS', { cdw11: 0x10 }]
  ])('refuses %s', async (_what, fields) => {
    expect(await getLog(0x02, 512, fields)).toMatchObject({ status: Status.INVALID_FIELD, isFinal: true })
  })

  it.each([[0x00], [0x06], [0x70], [0xc1]])('refuses page %i, which is not there', async lid => {
    expect((await getLog(lid, 512)).status).toBe(Status.INVALID_LOG_PAGE)
  })
})
