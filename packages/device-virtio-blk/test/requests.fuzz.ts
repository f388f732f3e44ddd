import { DmaFault } from '@pcikit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlkStatus, RequestType } from '../src/protocol.js'
import { FakeChain } from './fakes/fake-chain.js'
import { Harness, requestBytes, segments } from './fakes/harness.js'
import { RecordingBackend } from './fakes/recording-backend.js'

const SECTORS = 64
const seed = process.env.SEED === undefined ? Date.now() & 0x7fff_ffff : Number(process.env.SEED)
const budget = { seed, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 10_000) / 2, numRuns: 100_000 }

/** What a driver asks for: nearly always something that makes sense. */
const sector = fc.oneof(
  { weight: 9, arbitrary: fc.nat(SECTORS - 1) },
  { weight: 1, arbitrary: fc.constantFrom(SECTORS, 2 ** 32, 2 ** 53, 2 ** 64 - 2048) }
)
const byteLength = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 1, max: 8 }).map(count => count * 512) },
  { weight: 1, arbitrary: fc.nat(600) }
)
const data = byteLength.chain(length => fc.nat(255).map(value => new Uint8Array(length).fill(value)))
const range = fc.tuple(sector, fc.nat(8), fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2)))
const list = fc.array(range, { minLength: 1, maxLength: 4 }).map(ranges => segments(...ranges))

const request = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant(RequestType.IN), sector, bytes: byteLength }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant(RequestType.OUT), sector, data }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom(RequestType.DISCARD, RequestType.WRITE_ZEROES), data: list })
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant(RequestType.SECURE_ERASE), data: list }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom(RequestType.FLUSH, RequestType.GET_ID), bytes: fc.nat(40) })
  },
  { weight: 1, arbitrary: fc.record({ type: fc.nat(), data, bytes: fc.nat(100) }) }
)

/** What a disk is after requests that ended well, told from their fields alone. */
class Model {
  readonly bytes = new Uint8Array(SECTORS * 512)

  apply (type: number, start: number, out: Uint8Array): void {
    if (type === RequestType.OUT) this.bytes.set(out, start * 512)
    if (type !== RequestType.DISCARD && type !== RequestType.WRITE_ZEROES && type !== RequestType.SECURE_ERASE) return
    const view = new DataView(out.buffer)
    for (let base = 0; base < out.length; base += 16) {
      const first = Number(view.getBigUint64(base, true))
      this.bytes.fill(0, first * 512, (first + view.getUint32(base + 8, true)) * 512)
    }
  }
}

interface Drawn {
  readonly type: number
  readonly sector?: number
  readonly data?: Uint8Array
  readonly bytes?: number
}

/** Whether a disk carries a request out. */
function isRight ({ type, sector: start = 0, data: out = new Uint8Array(), bytes = 0 }: Drawn): boolean {
  const length = type === RequestType.IN ? bytes : out.length
  switch (type) {
    case RequestType.IN:
    case RequestType.OUT:
      return length % 512 === 0 && start + length / 512 <= SECTORS
    case RequestType.DISCARD:
    case RequestType.WRITE_ZEROES:
    case RequestType.SECURE_ERASE: {
      if (out.length === 0 || out.length % 16 !== 0 || out.length > 32 * 16) return false
      const view = new DataView(out.buffer)
      const allowed = type === RequestType.WRITE_ZEROES ? 1 : 0
      return Array.from({ length: out.length / 16 }, (_, index) => index * 16).every(base =>
        Number(view.getBigUint64(base, true)) + view.getUint32(base + 8, true) <= SECTORS &&
        (view.getUint32(base + 12, true) & ~allowed) === 0
      )
    }
    default:
      return type === RequestType.FLUSH || type === RequestType.GET_ID
  }
}

/** A chain in random pieces, some of whose memory may be missing. */
const chain = fc.record({
  cut: fc.integer({ min: 1, max: 5000 }),
  away: fc.oneof({ weight: 19, arbitrary: fc.constant(false) }, fc.boolean())
})

describe(`requests at random, SEED=${seed}`, () => {
  it.each([false, true])('leave the disk as a simple model has it, answering later: %s', async isAsync => {
    const steps = fc.array(fc.tuple(request, chain), { minLength: 1, maxLength: 30 })
    const property = fc.asyncProperty(steps, async drawn => {
      const backend = new RecordingBackend({ byteLength: SECTORS * 512, isAsync })
      const disk = new Harness(backend, { options: { secureErase: true } })
      const model = new Model()
      for (const [fields, { cut, away }] of drawn as readonly (readonly [Drawn, { cut: number, away: boolean }])[]) {
        const { type, sector: start = 0, data: out = new Uint8Array(), bytes = 0 } = fields
        const sent = new FakeChain({ readable: requestBytes(fields), writableBytes: bytes + 1, cut })
        if (away) sent.readable.openFault = sent.writable.openFault = DmaFault.UNMAPPED
        await disk.take(sent).completed
        const isDone = sent.status === BlkStatus.OK
        if (!away) expect(isDone).toBe(isRight(fields))
        if (isDone) model.apply(type, start, out)
        if (isDone && type === RequestType.IN) {
          expect(sent.data).toEqual(model.bytes.slice(start * 512, start * 512 + bytes))
          expect(sent.written).toBe(bytes + 1)
        }
        if (!isDone) expect([sent.written, sent.data.every(byte => byte === 0xcc)]).toEqual([1, true])
        expect(sent.readable.lease.isOpen || sent.writable.lease.isOpen).toBe(false)
      }
      expect(backend.bytesAt(0, SECTORS * 512)).toEqual(model.bytes)
      expect(disk.failures).toEqual([])
      await backend[Symbol.asyncDispose]()
    })
    await fc.assert(property, budget)
  })
})
