import { RegionIndex } from '@pcikit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Common, DEVICE, Harness, ISR, NOTIFY, settle } from './harness.js'

const SEED = process.env['SEED'] === undefined ? undefined : Number(process.env['SEED'])
const PARAMETERS = { numRuns: 400, ...(SEED === undefined ? {} : { seed: SEED }) }

const size = fc.constantFrom(1 as const, 2 as const, 4 as const)
const value = fc.oneof(fc.constantFrom(0, 1, 2, 3, 7, 8, 11, 15, 16, 64, 128, 0xffff, 0xffff_ffff), fc.nat(0xffff_ffff))
const offset = fc.oneof(
  fc.constantFrom(...Object.values(Common), ISR, DEVICE, NOTIFY, NOTIFY + 4),
  fc.nat(0x44),
  fc.nat(0x4010)
)
/** Writes to the structures by far, some through the window, some resets, and what the device does meanwhile. */
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('write' as const), offset, size, value }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('read' as const), offset, size }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('window' as const), offset, size, value, bar: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('event' as const),
      name: fc.constantFrom('interrupt', 'change', 'fail', 'gone', 'flr', 'bus master', 'ring reset ends')
    })
  }
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

async function run (harness: Harness, each: Step): Promise<void> {
  if (each.kind === 'write') await harness.write(each.offset, each.size, each.value)
  else if (each.kind === 'read') harness.read(each.offset, each.size)
  else if (each.kind === 'event') await happen(harness, each.name)
  else {
    const at = harness.structure(5)!
    await harness.writeConfig(at + 4, 1, each.bar)
    await harness.writeConfig(at + 8, 4, each.offset)
    await harness.writeConfig(at + 12, 4, each.size)
    await harness.writeConfig(at + 16, 4, each.value)
    harness.config(at + 16, each.size)
  }
}

async function happen (harness: Harness, name: string): Promise<void> {
  if (name === 'interrupt') harness.engine.events.interrupt(0)
  else if (name === 'change') harness.device.configChanged()
  else if (name === 'fail') harness.device.fail('for a test')
  else if (name === 'gone') harness.device.clientGone()
  else if (name === 'ring reset ends') harness.engine.finishQueueReset()
  else if (name === 'flr') await harness.device.function.reset()
  else await harness.writeConfig(0x04, 2, 0x6)
}

describe('a virtio device under random accesses', () => {
  it('never throws, and can be reset and used afterwards', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 60 }), async (isNegotiated, steps) => {
        const config = { view: new DataView(new ArrayBuffer(10)), write: () => undefined }
        const harness = new Harness({ config, features: [3] })
        const fresh = Array.from({ length: 5 }, (_, index) => harness.read(index * 4, 4))
        if (isNegotiated) harness.start(0, 0x14f)
        for (const each of steps) await run(harness, each)
        await harness.setStatus(0)
        await settle()
        expect(Array.from({ length: 5 }, (_, index) => harness.read(index * 4, 4))).toEqual(fresh)
        expect(harness.status).toBe(0)
        expect(harness.read(ISR, 1)).toBe(0)
        harness.start()
        expect(harness.status).toBe(15)
        expect(harness.engine.calls.slice(-2)).toEqual(['enable 0', 'start'])
        await harness.device.function.reset()
        expect(harness.readRegion(RegionIndex.BAR4, Common.QUEUE_ENABLE, 2)).toBe(0)
      }),
      PARAMETERS
    )
  })
})
