import { isPcikitError } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { fitZones } from '../../src/zones/zone-geometry.js'
import { ArrayBackend } from './array-backend.js'
import { zonedOptions } from './zoned-disk.js'
import type { ZonesInSectors } from './zoned-disk.js'

function fit (
  options: ZonesInSectors,
  array: ConstructorParameters<typeof ArrayBackend>[0] = {},
  transferSectorsMax = 64
) {
  return fitZones(zonedOptions(options), new ArrayBackend(array), transferSectorsMax)
}

function refusal (options: ZonesInSectors, array: ConstructorParameters<typeof ArrayBackend>[0] = {}): string {
  try {
    fit(options, array)
  } catch (error) {
    if (isPcikitError(error, 'PCIKIT_OPTION_INVALID')) return error.message
    throw error
  }
  return ''
}

describe('fitZones', () => {
  it('cuts a back end into zones, the last of what is left', () => {
    expect(fit({ zone: 30, conventional: 1 })).toEqual({
      model: 1,
      capacitySectors: 100,
      zoneSectors: 30,
      zoneCapacitySectors: 30,
      zoneCount: 4,
      conventionalCount: 1,
      maxOpenZones: 0,
      maxActiveZones: 0,
      maxAppendSectors: 30,
      granularitySectors: 1
    })
  })

  it('lets appends be as long as zone, option and device allow, in whole granules', () => {
    expect(fit({ zone: 50 }).maxAppendSectors).toBe(50)
    expect(fit({ zone: 50, append: 20 }).maxAppendSectors).toBe(20)
    expect(fit({ zone: 50 }, {}, 16).maxAppendSectors).toBe(16)
    expect(fit({ zone: 48, granularity: 4 }, { sectors: 96 }, 15).maxAppendSectors).toBe(12)
    expect(fit({ append: 0 }).maxAppendSectors).toBe(0)
    expect(fit({ model: 'host-aware' }).maxAppendSectors).toBe(0)
  })

  it('asks for writes of whole blocks', () => {
    expect(fit({ zone: 8 }, { blockSize: 4096, sectors: 80 }).granularitySectors).toBe(8)
  })

  it('refuses what does not fit', () => {
    expect(refusal({ zone: 10 }, { blockSize: 4096, sectors: 80 })).toMatch(/zoneSize is 5120 bytes/)
    expect(refusal({ granularity: 1 }, { blockSize: 4096, sectors: 80 })).toMatch(/writeGranularity is 512 bytes/)
    expect(refusal({ zone: 16, capacity: 9, granularity: 2 })).toMatch(/zoneCapacity is 4608 bytes/)
    expect(refusal({ zone: 16, granularity: 8 })).toMatch(/size of the back end is 51200 bytes/)
    expect(refusal({ conventional: 10 })).toMatch(/conventional is 10/)
    expect(refusal({ zone: 1 }, { sectors: 2 ** 20 + 1 })).toMatch(/zoneSize makes 1048577 zones/)
  })
})
