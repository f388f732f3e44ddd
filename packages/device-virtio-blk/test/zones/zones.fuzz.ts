import fc from 'fast-check'
import { describe, it } from 'vitest'
import { zonesBehaveAsTheModel } from './zone-property.js'

const seed = process.env.SEED === undefined ? Date.now() & 0x7fff_ffff : Number(process.env.SEED)

describe(`zones, SEED=${seed}`, () => {
  it('behave as a simple model of them, for long', async () => {
    const interruptAfterTimeLimit = Number(process.env.FUZZ_MS ?? 10_000)
    await fc.assert(zonesBehaveAsTheModel, { seed, interruptAfterTimeLimit, numRuns: 100_000 })
  })
})
