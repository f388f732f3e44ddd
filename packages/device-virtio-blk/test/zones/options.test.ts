import { describe, expect, it } from 'vitest'
import { zonedOptionsSchema } from '../../src/zones/options.js'

function mistakesOf (value: unknown): string[] {
  const { error } = zonedOptionsSchema.safeParse(value)
  return (error?.issues ?? []).map(issue => `${issue.path.join('.')}: ${issue.message}`)
}

describe('the option zoned', () => {
  it('has defaults for everything', () => {
    expect(zonedOptionsSchema.parse(true)).toEqual({
      model: 'host-managed',
      zoneSize: 64 * 1024 * 1024,
      conventional: 0,
      maxOpen: 0,
      maxActive: 0,
      maxAppend: 1024 * 1024,
      initially: 'empty',
      readOnlyZones: [],
      offlineZones: []
    })
  })

  it('takes sizes as numbers and as people write them', () => {
    const options = zonedOptionsSchema.parse({ zoneSize: '256MiB', zoneCapacity: 512, writeGranularity: '4 KiB' })
    expect(options).toMatchObject({ zoneSize: 2 ** 28, zoneCapacity: 512, writeGranularity: 4096 })
  })

  it('can be one text', () => {
    const options = zonedOptionsSchema.parse('zoneSize=1MiB,conventional=2,maxOpen=4,state=a,,b=c.zones')
    expect(options).toMatchObject({ zoneSize: 2 ** 20, conventional: 2, maxOpen: 4, state: 'a,b=c.zones' })
  })

  it('takes a path of digits for a path', () => {
    expect(zonedOptionsSchema.parse('state=123')).toMatchObject({ state: '123' })
  })

  it('names what is wrong', () => {
    expect(mistakesOf('zoneSize=12GB')).toEqual([expect.stringMatching(/^zoneSize: .*GiB/)])
    expect(mistakesOf({ zoneSize: 1000 })).toEqual([expect.stringMatching(/^zoneSize: .*512/)])
    expect(mistakesOf({ writeGranularity: 1536 })).toEqual(['writeGranularity: a power of two'])
    expect(mistakesOf({ zoneSize: 512, zoneCapacity: 1024 })).toEqual(['zoneCapacity: at most zoneSize'])
    expect(mistakesOf({ maxOpen: 3, maxActive: 2 })).toEqual(['maxOpen: at most maxActive'])
    expect(mistakesOf({ model: 'host-aware', maxOpen: 3 })).toEqual([expect.stringMatching(/^model: .*limits/)])
    expect(mistakesOf('zonesize=1MiB')).toEqual([expect.stringMatching(/zonesize/)])
    expect(mistakesOf(4)).toHaveLength(1)
  })
})
