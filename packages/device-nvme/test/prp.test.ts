import { DmaAccess } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { IoOpcode } from '../src/opcodes.js'
import { Status } from '../src/status.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { DATA, Harness, PAGE } from './fakes/harness.js'
import type { CommandFields, CompletionFields, HostQueue } from './fakes/harness.js'

const LIST = 0x30_0000
const MDTS = 1024 * 1024

let backend: FakeBackend
let harness: Harness
let queue: HostQueue

async function start (isShared: boolean): Promise<void> {
  backend = new FakeBackend({ blockCount: 4096 })
  for (let index = 0; index < backend.bytes.length; index++) backend.bytes[index] = (index * 31 + (index >>> 9)) & 0xff
  harness = new Harness({ backends: [backend], isShared, maxTransfer: MDTS })
  queue = await harness.start()
}

const read = (byteLength: number, fields: Partial<CommandFields>): Promise<CompletionFields> =>
  queue.run({ opcode: IoOpcode.READ, nsid: 1, cdw12: byteLength / 512 - 1, ...fields })

/** Writes PRP entries to the list at `iova`. */
function putList (iova: number, entries: readonly number[]): void {
  for (const [index, entry] of entries.entries()) {
    harness.view.setUint32(iova + index * 8, entry >>> 0, true)
    harness.view.setUint32(iova + index * 8 + 4, Math.floor(entry / 2 ** 32), true)
  }
}

/** Data pages in descending order, so that nothing works by being contiguous. */
const pages = (count: number): number[] => Array.from({ length: count }, (_, index) => 0x20_0000 - (index + 1) * PAGE)

function expectData (places: readonly (readonly [iova: number, length: number])[]): void {
  let done = 0
  for (const [iova, length] of places) {
    const got = Buffer.from(harness.bytes.subarray(iova, iova + length))
    expect(got.equals(backend.bytes.subarray(done, done + length))).toBe(true)
    done += length
  }
}

describe.each([['mapped', true], ['reached by message', false]])('PRPs in memory that is %s', (_how, isShared) => {
  beforeEach(() => start(isShared))

  it('takes data inside one page', async () => {
    expect((await read(1024, { prp1: DATA + 0x804 })).status).toBe(Status.SUCCESS)
    expectData([[DATA + 0x804, 1024]])
  })

  it('takes two pages, the first from an offset on', async () => {
    expect((await read(4096, { prp1: DATA + 0xe00, prp2: DATA + 0x5000 })).status).toBe(Status.SUCCESS)
    expectData([[DATA + 0xe00, 512], [DATA + 0x5000, 3584]])
  })

  it('takes a list', async () => {
    const list = pages(15)
    putList(LIST, list)
    expect((await read(64 * 1024, { prp1: DATA, prp2: LIST })).status).toBe(Status.SUCCESS)
    expectData([[DATA, PAGE], ...list.map(iova => [iova, PAGE] as const)])
  })

  it('takes a list that starts inside a page, with a first page from an offset on', async () => {
    const list = pages(16)
    putList(LIST + 0xe08, list)
    expect((await read(64 * 1024, { prp1: DATA + 0x200, prp2: LIST + 0xe08 })).status).toBe(Status.SUCCESS)
    expectData([[DATA + 0x200, 0xe00], ...list.map((iova, index) => [iova, index === 15 ? 0x200 : PAGE] as const)])
  })

  it('follows the last entry of a page to the next list', async () => {
    const list = pages(7)
    putList(LIST + 0xff0, [list[0]!, LIST + 0x1000])
    putList(LIST + 0x1000, list.slice(1))
    expect((await read(8 * PAGE, { prp1: DATA, prp2: LIST + 0xff0 })).status).toBe(Status.SUCCESS)
    expectData([[DATA, PAGE], ...list.map(iova => [iova, PAGE] as const)])
  })

  it('follows a list of nothing but the pointer to the next', async () => {
    const list = pages(3)
    putList(LIST + 0xff8, [LIST + 0x1000])
    putList(LIST + 0x1000, list)
    expect((await read(4 * PAGE, { prp1: DATA, prp2: LIST + 0xff8 })).status).toBe(Status.SUCCESS)
    expectData([[DATA, PAGE], ...list.map(iova => [iova, PAGE] as const)])
  })

  it('takes the last entry of a page for data where no more is needed', async () => {
    const list = pages(2)
    putList(LIST + 0xff0, list)
    expect((await read(3 * PAGE, { prp1: DATA, prp2: LIST + 0xff0 })).status).toBe(Status.SUCCESS)
    expectData([[DATA, PAGE], [list[0]!, PAGE], [list[1]!, PAGE]])
  })

  it('takes pages one after the other, alone and in runs, also over the end of a list', async () => {
    const at = (...numbers: readonly number[]): number[] => numbers.map(number => 0x20_0000 + number * PAGE)
    const [first, second] = [at(1, 2, 3, 9, 8, 10), at(11, 12, 20, 4)]
    putList(LIST + 0x1000 - (first.length + 1) * 8, [...first, LIST + 0x1000])
    putList(LIST + 0x1000, second)
    const prp2 = LIST + 0x1000 - (first.length + 1) * 8
    expect((await read(11 * PAGE - 512, { prp1: 0x20_0000, prp2 })).status).toBe(Status.SUCCESS)
    const list = [0x20_0000, ...first, ...second]
    expectData(list.map((iova, index) => [iova, index === 10 ? PAGE - 512 : PAGE] as const))
  })

  it('fails with a data transfer error where a run of pages goes on without memory behind it', async () => {
    putList(LIST, [harness.bytes.length - PAGE, harness.bytes.length, harness.bytes.length + PAGE])
    expect((await read(4 * PAGE, { prp1: DATA, prp2: LIST })).status).toBe(Status.DATA_TRANSFER_ERROR)
    expect(harness.dma.openLeases).toBe(0)
  })

  it('fails with a data transfer error when a list leads nowhere', async () => {
    putList(LIST + 0xff8, [0x7000_0000])
    expect((await read(4 * PAGE, { prp1: DATA, prp2: LIST + 0xff8 })).status).toBe(Status.DATA_TRANSFER_ERROR)
    expect(harness.dma.openLeases).toBe(0)
  })
})

describe('PRPs', () => {
  beforeEach(() => start(true))

  it.each([
    ['a first entry that is no dword', 512, { prp1: DATA + 2 }],
    ['a second entry with an offset', PAGE, { prp1: DATA + 0x800, prp2: DATA + 0x1200 }],
    ['a list that is no qword', 4 * PAGE, { prp1: DATA, prp2: LIST + 4 }],
    ['an entry of a list with an offset', 4 * PAGE, { prp1: DATA, prp2: LIST + 0x100 }],
    ['a next list with an offset', 4 * PAGE, { prp1: DATA, prp2: LIST + 0xff8 }]
  ])('refuses %s', async (_what, byteLength, fields) => {
    putList(LIST + 0x100, [0x10_1000, 0x10_2200, 0x10_3000])
    putList(LIST + 0xff8, [LIST + 0x1800])
    expect(await read(byteLength, fields)).toMatchObject({ status: Status.PRP_OFFSET_INVALID, isFinal: true })
    expect(harness.dma.openLeases).toBe(0)
  })

  it('refuses a second page that was not given', async () => {
    expect((await read(PAGE, { prp1: DATA + 0x800, prp2: 0 })).status).toBe(Status.INVALID_FIELD)
  })

  it.each([
    ['the first page', 512, { prp1: 0x7000_0000 }],
    ['the second page', PAGE, { prp1: DATA + 0x800, prp2: 0x7000_0000 }],
    ['the list', 4 * PAGE, { prp1: DATA, prp2: 0x7000_0000 }],
    ['an address beyond 2^53', 512, { prp1: 2 ** 60 }]
  ])(
    'fails with a data transfer error that may be retried where there is no memory for %s',
    async (_w, length, prps) => {
      expect(await read(length, prps)).toMatchObject({ status: Status.DATA_TRANSFER_ERROR, isFinal: false })
      expect(harness.dma.openLeases).toBe(0)
    }
  )

  it('reads data for a write from memory that is read-only to the device', async () => {
    harness.dma.map(0x5000_0000, PAGE, { access: DmaAccess.READ })
    const write = await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: 0x5000_0000 })
    const readBack = await read(512, { prp1: 0x5000_0000 })
    expect([write.status, readBack.status]).toEqual([Status.SUCCESS, Status.DATA_TRANSFER_ERROR])
  })

  it('takes buffers that span regions', async () => {
    const low = harness.dma.map(0x6000_0000, 0x1800)
    const high = harness.dma.map(0x6000_1800, 0x800)
    expect((await read(8192, { prp1: 0x6000_0000, prp2: 0x6000_1000 })).status).toBe(Status.SUCCESS)
    expect(Buffer.concat([low, high]).equals(backend.bytes.subarray(0, 8192))).toBe(true)
  })
})
