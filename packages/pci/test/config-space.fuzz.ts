import { RegionIndex } from '@pcikit/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigProbe } from '../../testkit/src/compliance/config-probe.js'
import { createFunction } from './services.js'

const SEED = process.env['SEED'] === undefined ? undefined : Number(process.env['SEED'])
const PARAMETERS = { numRuns: 400, ...(SEED === undefined ? {} : { seed: SEED }) }

/** An access to any region, inside of it or just beyond its end. */
const access = fc.record({
  isWrite: fc.boolean(),
  region: fc.constantFrom(...Object.values(RegionIndex)),
  offset: fc.oneof(fc.nat(0x140), fc.nat(0x1100), fc.nat(0x4100)),
  bytes: fc.uint8Array({ minLength: 0, maxLength: 70 })
})

/** Device Control, whose bit 15 resets the function and with it what was just written. */
const DEVICE_CONTROL_WORD = 0x50 / 4
const FLR = 0x8000

describe('a function under random accesses', () => {
  it('never throws, keeps its identity and its list of capabilities, and comes back from a reset', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(access, { maxLength: 40 }), async accesses => {
        const { pci } = createFunction()
        const probe = new ConfigProbe(pci)
        const start = await probe.snapshot()
        for (const { isWrite, region, offset, bytes } of accesses) {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
          if (isWrite) await pci.writeRegion(region, offset, view, 0, bytes.length)
          else await pci.readRegion(region, offset, view, 0, bytes.length)
          if (bytes.length > 0) pci.deviceInterrupts.trigger(bytes[0]!)
          pci.deviceInterrupts.setIntx((offset & 1) === 1)
        }
        expect((await probe.capabilities()).end).toBe(0)
        expect(await probe.extendedEnd()).toBe(0)
        expect(await probe.read(0, 4)).toBe(0x0010_1b36)
        expect(await probe.sizeBars()).toEqual(probe.barRegions())
        await pci.reset()
        expect(Buffer.compare(await probe.snapshot(), start)).toBe(0)
      }),
      PARAMETERS
    )
  })

  it('changes no bit that a write of all ones and one of all zeroes leave alone', async () => {
    const { pci } = createFunction()
    const probe = new ConfigProbe(pci)
    const start = await probe.snapshot()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1023 }), fc.integer(), async (word, value) => {
        const lanes = word === DEVICE_CONTROL_WORD ? ~FLR : ~0
        await pci.reset()
        pci.config.write(word * 4, lanes >>> 0)
        const ones = pci.config.read(word * 4)
        await pci.reset()
        pci.config.write(word * 4, 0)
        const zeroes = pci.config.read(word * 4)
        await pci.reset()
        pci.config.write(word * 4, value & lanes)
        const fixed = ~(ones ^ zeroes)
        expect((pci.config.read(word * 4) ^ zeroes) & fixed).toBe(0)
        await pci.reset()
        expect(Buffer.compare(await probe.snapshot(), start)).toBe(0)
      }),
      PARAMETERS
    )
  })
})
