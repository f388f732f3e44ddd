import fc from 'fast-check'
import { describe, it } from 'vitest'
import { zonesBehaveAsTheModel } from './zone-property.js'

describe('zones', () => {
  it('behave as a simple model of them', async () => {
    await fc.assert(zonesBehaveAsTheModel, { numRuns: 60 })
  })
})
