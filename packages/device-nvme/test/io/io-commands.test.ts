import { beforeEach, describe, expect, it } from 'vitest'
import { AdminOpcode, IoOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend, outOfRange } from '../fakes/fake-backend.js'
import type { FakeBackendOptions } from '../fakes/fake-backend.js'
import { DATA, Harness, nextTurn } from '../fakes/harness.js'
import type { HarnessOptions, HostQueue } from '../fakes/harness.js'

let backend: FakeBackend
let harness: Harness
let queue: HostQueue

async function start (options: FakeBackendOptions = {}, more: HarnessOptions = {}): Promise<void> {
  backend = new FakeBackend(options)
  harness = new Harness({ backends: [backend], ...more })
  queue = await harness.start()
}

beforeEach(() => start())

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7 + 3) & 0xff)

describe.each([
  ['at once', {}],
  ['at once, also without a lease', { isDirect: true }],
  ['later', { isAsync: true }]
])('with a back end that answers %s', (_when, options) => {
  beforeEach(() => start(options))

  it('writes and reads back', async () => {
    harness.bytes.set(pattern(1024), DATA)
    const fields = { nsid: 1, cdw10: 5, cdw12: 1 }
    expect((await queue.run({ opcode: IoOpcode.WRITE, prp1: DATA, ...fields })).status).toBe(Status.SUCCESS)
    expect((await queue.run({ opcode: IoOpcode.READ, prp1: DATA + 0x2000, ...fields })).status).toBe(Status.SUCCESS)
    expect(harness.bytes.subarray(DATA + 0x2000, DATA + 0x2400)).toEqual(pattern(1024))
    expect(backend.bytes.subarray(5 * 512, 7 * 512)).toEqual(pattern(1024))
  })

  it('flushes one namespace, and all of them', async () => {
    expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
    expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 0xffff_ffff })).status).toBe(Status.SUCCESS)
    expect(backend.calls).toEqual(['flush', 'flush'])
  })

  it('flushes after a write with FUA', async () => {
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA, cdw12: 1 << 30 })
    expect(backend.calls).toEqual(['write 0 1', 'flush'])
  })

  it('flushes after each write while the write cache is off', async () => {
    await harness.admin.run({ opcode: AdminOpcode.SET_FEATURES, cdw10: 0x06, cdw11: 0 })
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA })
    await queue.run({ opcode: IoOpcode.WRITE_ZEROES, nsid: 1 })
    expect(backend.calls).toEqual(['write 0 1', 'flush', 'zero 0 1', 'flush'])
  })

  it('writes zeroes, more than fits in a transfer', async () => {
    backend.bytes.fill(0xff)
    const completion = await queue.run({ opcode: IoOpcode.WRITE_ZEROES, nsid: 1, cdw10: 1, cdw12: 2046 })
    expect(completion.status).toBe(Status.SUCCESS)
    expect([backend.bytes[0], backend.bytes[512], backend.bytes.at(-1)]).toEqual([0xff, 0, 0])
  })

  it('compares', async () => {
    backend.bytes.set(pattern(512), 512)
    harness.bytes.set(pattern(512), DATA)
    const fields = { opcode: IoOpcode.COMPARE, nsid: 1, cdw10: 1 }
    expect((await queue.run({ ...fields, prp1: DATA })).status).toBe(Status.SUCCESS)
    expect((await queue.run({ ...fields, prp1: DATA + 0x1000 })).status).toBe(Status.COMPARE_FAILURE)
  })

  it('discards ranges', async () => {
    backend.bytes.fill(0xff)
    for (const [index, [slba, length]] of [[1, 2], [10, 0], [20, 5]].entries()) {
      harness.view.setUint32(DATA + index * 16 + 4, length!, true)
      harness.view.setBigUint64(DATA + index * 16 + 8, BigInt(slba!), true)
    }
    const fields = { opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw10: 2 }
    expect((await queue.run({ ...fields, cdw11: 3 })).status).toBe(Status.SUCCESS)
    expect(backend.calls).toEqual([])
    expect((await queue.run({ ...fields, cdw11: 4 })).status).toBe(Status.SUCCESS)
    expect(backend.calls).toEqual(['discard 1 2', 'discard 20 5'])
  })

  it('discards nothing when a range is out of bounds', async () => {
    harness.view.setUint32(DATA + 4, 1, true)
    harness.view.setUint32(DATA + 16 + 4, 2049, true)
    const fields = { opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw10: 1, cdw11: 4 }
    expect((await queue.run(fields)).status).toBe(Status.LBA_OUT_OF_RANGE)
    expect(backend.calls).toEqual([])
  })

  it('reports a failed request as an internal error that may be retried, and counts it', async () => {
    backend.failure = new Error('disk on fire')
    expect(await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA }))
      .toMatchObject({ status: Status.INTERNAL_ERROR, isFinal: false })
    expect(harness.dma.openLeases).toBe(0)
    await harness.admin.run({ opcode: AdminOpcode.GET_LOG_PAGE, prp1: DATA, cdw10: 127 << 16 | 2 })
    expect(harness.view.getUint32(DATA + 160, true)).toBe(1)
  })

  it('reports what a back end calls out of range', async () => {
    backend.failure = outOfRange()
    expect((await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })).status).toBe(Status.LBA_OUT_OF_RANGE)
  })
})

it('refuses what is past the end of a back end that got smaller, and takes what one that grew has more', async () => {
  const read = { opcode: IoOpcode.READ, nsid: 1, prp1: DATA, cdw10: 1000 }
  backend.blockCount = 1000
  const past = await queue.run(read)
  backend.blockCount = 1001
  expect([past.status, (await queue.run(read)).status]).toEqual([Status.LBA_OUT_OF_RANGE, Status.SUCCESS])
})

describe('I/O commands', () => {
  it('reports a Data Transfer Error, and no media error, where memory went and the back end failed for it', async () => {
    await start({ isAsync: true })
    let answer: () => void = () => undefined
    backend.gate = new Promise(resolve => {
      answer = resolve
    })
    backend.failure = new Error('EFAULT')
    harness.dma.map(0x5000_0000, 4096)
    queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: 0x5000_0000 })
    queue.ring()
    while (backend.calls.length === 0) await nextTurn()
    harness.dma.unmap(0x5000_0000)
    answer()
    expect((await queue.next()).status).toBe(Status.DATA_TRANSFER_ERROR)
    await harness.admin.run({ opcode: AdminOpcode.GET_LOG_PAGE, prp1: DATA, cdw10: 127 << 16 | 2 })
    expect(harness.view.getUint32(DATA + 160, true)).toBe(0)
  })

  const rangeCommands = [IoOpcode.READ, IoOpcode.WRITE, IoOpcode.COMPARE, IoOpcode.WRITE_ZEROES]

  it.each(rangeCommands)('checks the range of command %i', async opcode => {
    const fields = { opcode, nsid: 1, prp1: DATA }
    expect((await queue.run({ ...fields, cdw10: 2047 })).status).not.toBe(Status.LBA_OUT_OF_RANGE)
    expect((await queue.run({ ...fields, cdw10: 2047, cdw12: 1 })).status).toBe(Status.LBA_OUT_OF_RANGE)
    expect((await queue.run({ ...fields, cdw10: 2048 })).status).toBe(Status.LBA_OUT_OF_RANGE)
    expect((await queue.run({ ...fields, cdw11: 1 })).status).toBe(Status.LBA_OUT_OF_RANGE)
    const last = { ...fields, cdw10: 0xffff_ffff, cdw11: 0xffff_ffff }
    expect(await queue.run(last)).toMatchObject({ status: Status.LBA_OUT_OF_RANGE, isFinal: true })
  })

  it.each([IoOpcode.READ, IoOpcode.WRITE, IoOpcode.COMPARE])('bounds the transfer of command %i', async opcode => {
    await start({}, { maxTransfer: 4096 })
    const fields = { opcode, nsid: 1, prp1: DATA }
    expect((await queue.run({ ...fields, cdw12: 7 })).status).not.toBe(Status.INVALID_FIELD)
    expect((await queue.run({ ...fields, cdw12: 8 })).status).toBe(Status.INVALID_FIELD)
  })

  it.each([...rangeCommands, IoOpcode.FLUSH, IoOpcode.DATASET_MANAGEMENT])(
    'refuses command %i for a namespace that is not there',
    async opcode => {
      expect((await queue.run({ opcode, nsid: 0, prp1: DATA })).status).toBe(Status.INVALID_NAMESPACE)
      expect((await queue.run({ opcode, nsid: 33, prp1: DATA })).status).toBe(Status.INVALID_NAMESPACE)
      expect((await queue.run({ opcode, nsid: 2, prp1: DATA })).status).toBe(Status.INVALID_FIELD)
    }
  )

  it('refuses reads from all namespaces', async () => {
    expect((await queue.run({ opcode: IoOpcode.READ, nsid: 0xffff_ffff, prp1: DATA })).status)
      .toBe(Status.INVALID_NAMESPACE)
  })

  it.each([[0x04], [0x0c], [0x0d], [0x19], [0x7f], [0xff]])('has no opcode %i', async opcode => {
    expect(await queue.run({ opcode, nsid: 1 })).toMatchObject({ status: Status.INVALID_OPCODE, isFinal: true })
  })

  it('refuses fused commands and SGLs', async () => {
    expect((await queue.run({ opcode: IoOpcode.READ, flags: 1, nsid: 1, prp1: DATA })).status).toBe(
      Status.INVALID_FIELD
    )
    expect((await queue.run({ opcode: IoOpcode.READ, flags: 0x40, nsid: 1, prp1: DATA })).status)
      .toBe(Status.INVALID_FIELD)
  })

  it('protects a read-only namespace', async () => {
    await start({ readOnly: true })
    const fields = { nsid: 1, prp1: DATA, cdw11: 4 }
    expect((await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA })).status)
      .toBe(Status.NAMESPACE_WRITE_PROTECTED)
    expect((await queue.run({ opcode: IoOpcode.WRITE_ZEROES, nsid: 1 })).status).toBe(Status.NAMESPACE_WRITE_PROTECTED)
    expect((await queue.run({ opcode: IoOpcode.DATASET_MANAGEMENT, ...fields })).status)
      .toBe(Status.NAMESPACE_WRITE_PROTECTED)
    expect((await queue.run({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })).status).toBe(Status.SUCCESS)
    expect((await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })).status).toBe(Status.SUCCESS)
  })

  it('does not flush what has no volatile cache', async () => {
    await start({ hasVolatileCache: false })
    await queue.run({ opcode: IoOpcode.FLUSH, nsid: 1 })
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA, cdw12: 1 << 30 })
    expect(backend.calls).toEqual(['write 0 1'])
  })

  it('takes a discard as a hint where the back end has none', async () => {
    await start({ supportsDiscard: false })
    harness.view.setUint32(DATA + 4, 8, true)
    const fields = { opcode: IoOpcode.DATASET_MANAGEMENT, nsid: 1, prp1: DATA, cdw11: 4 }
    expect((await queue.run(fields)).status).toBe(Status.SUCCESS)
  })

  it('tells namespaces apart', async () => {
    const backends = [new FakeBackend(), new FakeBackend({ blockSize: 4096, blockCount: 8 })]
    harness = new Harness({ backends })
    queue = await harness.start()
    await queue.run({ opcode: IoOpcode.WRITE, nsid: 2, prp1: DATA, cdw10: 7 })
    expect([backends[0]!.calls, backends[1]!.calls]).toEqual([[], ['write 7 1']])
  })
})
