import { describe, expect, it } from 'vitest'
import { AdminOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend } from '../fakes/fake-backend.js'
import { DATA, Harness } from '../fakes/harness.js'
import type { CommandFields, CompletionFields } from '../fakes/harness.js'

async function identify (
  harness: Harness,
  cns: number,
  fields: Partial<CommandFields> = {}
): Promise<CompletionFields> {
  harness.bytes.fill(0xee, DATA, DATA + 4096)
  return harness.admin.run({ opcode: AdminOpcode.IDENTIFY, prp1: DATA, cdw10: cns, ...fields })
}

async function enabled (backends = [new FakeBackend()]): Promise<Harness> {
  const harness = new Harness({ backends })
  await harness.enable()
  return harness
}

const text = (harness: Harness, offset: number, length: number): string =>
  Buffer.from(harness.bytes.subarray(DATA + offset, DATA + offset + length)).toString('latin1')

describe('Identify', () => {
  it('describes the controller', async () => {
    const harness = await enabled()
    expect((await identify(harness, 0x01)).status).toBe(Status.SUCCESS)
    expect(harness.view.getUint16(DATA, true)).toBe(0x1234)
    expect([text(harness, 4, 20), text(harness, 64, 8)]).toEqual(['SERIAL'.padEnd(20), '1.0     '])
    expect(harness.bytes[DATA + 77]).toBe(8)
    expect(harness.view.getUint32(DATA + 80, true)).toBe(0x0001_0400)
    expect([harness.bytes[DATA + 512], harness.bytes[DATA + 513]]).toEqual([0x66, 0x44])
    expect(harness.view.getUint32(DATA + 516, true)).toBe(32)
    expect(harness.bytes[DATA + 525]).toBe(7)
    expect(text(harness, 768, 27)).toBe('nqn.2014-08.org.nvmexpress:')
  })

  it('says that there is no volatile write cache where no back end has one', async () => {
    const harness = await enabled([new FakeBackend({ hasVolatileCache: false })])
    await identify(harness, 0x01)
    expect(harness.bytes[DATA + 525]).toBe(6)
  })

  it('offers Dataset Management only where a back end can discard', async () => {
    const harness = await enabled([new FakeBackend({ supportsDiscard: false })])
    await identify(harness, 0x01)
    expect(harness.view.getUint16(DATA + 520, true) & 4).toBe(0)
  })

  it('describes a namespace', async () => {
    const harness = await enabled([new FakeBackend({ blockSize: 4096, blockCount: 100, readOnly: true })])
    expect((await identify(harness, 0x00, { nsid: 1 })).status).toBe(Status.SUCCESS)
    expect([0, 8, 16].map(offset => harness.view.getBigUint64(DATA + offset, true))).toEqual([100n, 100n, 100n])
    expect([harness.bytes[DATA + 99], harness.bytes[DATA + 130]]).toEqual([1, 12])
  })

  it('has the size that the back end has at the moment', async () => {
    const backend = new FakeBackend({ blockCount: 100 })
    const harness = await enabled([backend])
    backend.blockCount = 70
    await identify(harness, 0x00, { nsid: 1 })
    expect([0, 8, 16].map(offset => harness.view.getBigUint64(DATA + offset, true))).toEqual([70n, 70n, 70n])
  })

  it.each([
    ['namespace', 0x00],
    ['allocated namespace', 0x11],
    ['I/O command set namespace', 0x05],
    ['attached controllers', 0x12]
  ])('answers with zeroes for an inactive namespace: %s', async (_what, cns) => {
    const harness = await enabled()
    expect((await identify(harness, cns, { nsid: 32 })).status).toBe(Status.SUCCESS)
    expect(harness.bytes.subarray(DATA, DATA + 4096).every(byte => byte === 0)).toBe(true)
  })

  it.each([
    ['namespace 0', 0x00, 0],
    ['a namespace above NN', 0x00, 33],
    ['all namespaces', 0x00, 0xffff_ffff],
    ['descriptors of an inactive namespace', 0x03, 2],
    ['a list from FFFFFFFEh on', 0x02, 0xffff_fffe],
    ['a list from FFFFFFFFh on', 0x10, 0xffff_ffff],
    ['controllers of all namespaces', 0x12, 0xffff_ffff]
  ])('refuses %s as an invalid namespace', async (_what, cns, nsid) => {
    const harness = await enabled()
    expect(await identify(harness, cns, { nsid })).toMatchObject({ status: Status.INVALID_NAMESPACE, isFinal: true })
  })

  it.each([[0x02], [0x07], [0x10]])('lists the namespaces above the one given, CNS %i', async cns => {
    const harness = await enabled([new FakeBackend(), new FakeBackend(), new FakeBackend()])
    await identify(harness, cns, { nsid: 1 })
    expect([0, 4, 8].map(offset => harness.view.getUint32(DATA + offset, true))).toEqual([2, 3, 0])
  })

  it('identifies a namespace by a UUID', async () => {
    const harness = await enabled()
    await identify(harness, 0x03, { nsid: 1 })
    expect([...harness.bytes.subarray(DATA, DATA + 24)]).toEqual([
      3,
      16,
      0,
      0,
      ...Array<number>(16).fill(1),
      0,
      0,
      0,
      0
    ])
  })

  it('answers for the NVM command set, and for no other', async () => {
    const harness = await enabled()
    expect((await identify(harness, 0x06)).status).toBe(Status.SUCCESS)
    expect((await identify(harness, 0x06, { cdw11: 2 << 24 })).status).toBe(Status.INVALID_FIELD)
    expect((await identify(harness, 0x05, { nsid: 1, cdw11: 1 << 24 })).status).toBe(Status.INVALID_FIELD)
  })

  it('lists itself as the only controller', async () => {
    const harness = await enabled()
    await identify(harness, 0x13)
    expect([harness.view.getUint16(DATA, true), harness.view.getUint16(DATA + 2, true)]).toEqual([1, 0])
    await identify(harness, 0x13 | 1 << 16)
    expect(harness.view.getUint16(DATA, true)).toBe(0)
    await identify(harness, 0x12, { nsid: 1 })
    expect(harness.view.getUint16(DATA, true)).toBe(1)
  })

  it('refuses a data structure that it does not have', async () => {
    const harness = await enabled()
    expect(await identify(harness, 0x14)).toMatchObject({ status: Status.INVALID_FIELD, isFinal: true })
  })

  it('refuses a buffer too short for the structure', async () => {
    const harness = await enabled()
    const completion = await identify(harness, 0x01, { prp1: DATA + 3072, prp2: 0 })
    expect(completion.status).toBe(Status.INVALID_FIELD)
    expect(harness.bytes[0]).toBe(0)
  })
})
