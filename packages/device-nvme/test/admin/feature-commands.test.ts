import { beforeEach, describe, expect, it } from 'vitest'
import { AdminOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend } from '../fakes/fake-backend.js'
import { DATA, Harness } from '../fakes/harness.js'
import type { CommandFields, CompletionFields } from '../fakes/harness.js'

let harness: Harness

beforeEach(async () => {
  harness = new Harness()
  await harness.enable()
})

const get = (fid: number, fields: Partial<CommandFields> = {}, select = 0): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.GET_FEATURES, prp1: DATA, cdw10: fid | select << 8, ...fields })

const set = (fid: number, cdw11: number, fields: Partial<CommandFields> = {}): Promise<CompletionFields> =>
  harness.admin.run({ opcode: AdminOpcode.SET_FEATURES, prp1: DATA, cdw10: fid, cdw11, ...fields })

describe('Get Features', () => {
  it.each([[0x01], [0x02], [0x04], [0x05], [0x06], [0x07], [0x08], [0x09], [0x0a], [0x0b], [0x0e], [0x0f], [0x16]])(
    'has feature %i, current, default, saved, and its capabilities',
    async fid => {
      for (const select of [0, 1, 2, 3]) expect((await get(fid, {}, select)).status).toBe(Status.SUCCESS)
      expect((await get(fid, {}, 3)).result).toBe(4)
    }
  )

  it.each([[0x03], [0x0c], [0x10], [0x80], [0xd0], [0xff]])('does not have feature %i', async fid => {
    expect(await get(fid)).toMatchObject({ status: Status.INVALID_FIELD, isFinal: true })
    expect((await get(fid, {}, 3)).status).toBe(Status.INVALID_FIELD)
    expect((await set(fid, 0)).status).toBe(Status.INVALID_FIELD)
  })

  it('refuses a selection that is reserved', async () => {
    expect((await get(0x01, {}, 4)).status).toBe(Status.INVALID_FIELD)
  })

  it('refuses a namespace that cannot be', async () => {
    expect((await get(0x01, { nsid: 33 })).status).toBe(Status.INVALID_NAMESPACE)
  })
})

describe('Set Features', () => {
  it('changes the current value, and neither the default nor the saved one', async () => {
    expect((await set(0x08, 0x1234)).status).toBe(Status.SUCCESS)
    expect([(await get(0x08)).result, (await get(0x08, {}, 1)).result, (await get(0x08, {}, 2)).result])
      .toEqual([0x1234, 0, 0])
  })

  it('saves nothing', async () => {
    expect((await set(0x08 | 0x8000_0000, 1)).status).toBe(Status.FEATURE_NOT_SAVEABLE)
  })

  it('has no feature for one namespace', async () => {
    expect((await set(0x06, 1, { nsid: 1 })).status).toBe(Status.FEATURE_NOT_NAMESPACE_SPECIFIC)
    expect((await set(0x06, 1, { nsid: 33 })).status).toBe(Status.INVALID_NAMESPACE)
    expect((await set(0x06, 1, { nsid: 0xffff_ffff })).status).toBe(Status.SUCCESS)
  })

  it('refuses power states and errors that are not there', async () => {
    expect((await set(0x02, 1)).status).toBe(Status.INVALID_FIELD)
    expect((await set(0x05, 1 << 16)).status).toBe(Status.INVALID_FIELD)
  })

  it('has no write cache to switch where no back end has one', async () => {
    harness = new Harness({ backends: [new FakeBackend({ hasVolatileCache: false })] })
    await harness.enable()
    expect((await get(0x06)).status).toBe(Status.INVALID_FIELD)
    expect((await set(0x06, 1)).status).toBe(Status.INVALID_FIELD)
  })

  it('keeps coalescing for each vector', async () => {
    await set(0x09, 1 << 16 | 5)
    expect([(await get(0x09, { cdw11: 5 })).result, (await get(0x09, { cdw11: 4 })).result]).toEqual([0x1_0005, 4])
    expect((await set(0x09, 65)).status).toBe(Status.INVALID_FIELD)
    expect((await get(0x09, { cdw11: 65 })).status).toBe(Status.INVALID_FIELD)
  })

  it('keeps both temperature thresholds, and knows no sensor but the composite one', async () => {
    await set(0x04, 400)
    await set(0x04, 1 << 20 | 200)
    expect([(await get(0x04)).result, (await get(0x04, { cdw11: 1 << 20 })).result]).toEqual([400, 200])
    expect((await get(0x04, { cdw11: 3 << 16 })).result).toBe(0)
    expect((await set(0x04, 2 << 20)).status).toBe(Status.INVALID_FIELD)
    expect((await set(0x04, 9 << 16)).status).toBe(Status.INVALID_FIELD)
  })

  it('tells a temperature beyond its threshold as an event', async () => {
    const cid = harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
    await set(0x0b, 1 << 1)
    harness.admin.put({ opcode: AdminOpcode.SET_FEATURES, cdw10: 0x04, cdw11: 300 })
    harness.admin.ring()
    const completions = [await harness.admin.next(), await harness.admin.next()]
    const event = completions.find(completion => completion.cid === cid)
    expect(event).toMatchObject({ status: Status.SUCCESS, result: 0x0002_0101 })
  })

  it('takes the time from the host and goes on from there', async () => {
    harness.view.setBigUint64(DATA, 1_700_000_000_000n, true)
    expect((await set(0x0e, 0)).status).toBe(Status.SUCCESS)
    harness.bytes.fill(0xff, DATA, DATA + 8)
    await get(0x0e)
    const now = Number(harness.view.getBigUint64(DATA, true) & 0xffff_ffff_ffffn)
    expect(now).toBeGreaterThanOrEqual(1_700_000_000_000)
    expect(harness.bytes[DATA + 6]).toBe(2)
  })

  it('keeps what the host supports', async () => {
    harness.bytes[DATA] = 1
    harness.bytes[DATA + 1] = 1
    await set(0x16, 0)
    harness.bytes.fill(0xff, DATA, DATA + 512)
    await get(0x16)
    expect([...harness.bytes.subarray(DATA, DATA + 3)]).toEqual([1, 1, 0])
  })
})

describe('Number of Queues', () => {
  it('grants what was asked for, as far as there is', async () => {
    expect((await set(0x07, 1 << 16 | 2)).result).toBe(1 << 16 | 2)
    expect((await set(0x07, 62 << 16 | 62)).result).toBe(3 << 16 | 3)
    expect((await get(0x07)).result).toBe(3 << 16 | 3)
  })

  it('refuses FFFFh', async () => {
    expect((await set(0x07, 0xffff)).status).toBe(Status.INVALID_FIELD)
    expect((await set(0x07, 0xffff_0000)).status).toBe(Status.INVALID_FIELD)
  })

  it('comes too late once an I/O queue exists', async () => {
    await harness.createCompletionQueue(1, 0x4_0000, 8)
    expect((await set(0x07, 0)).status).toBe(Status.COMMAND_SEQUENCE_ERROR)
  })

  it('bounds the queues that can be created', async () => {
    await set(0x07, 0)
    expect((await harness.createCompletionQueue(2, 0x4_0000, 8)).status).toBe(Status.INVALID_QUEUE_IDENTIFIER)
  })
})

describe('Keep Alive', () => {
  it('stops the controller when the host is silent', async () => {
    await set(0x0f, 1)
    expect((await harness.admin.run({ opcode: AdminOpcode.KEEP_ALIVE })).status).toBe(Status.SUCCESS)
    await expect.poll(() => harness.read32(0x1c) & 2, { timeout: 5000 }).toBe(2)
  })
})
