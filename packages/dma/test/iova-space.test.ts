import { describe, expect, it } from 'vitest'
import { Region } from '../src/region.js'
import { IovaSpace } from '../src/iova-space.js'

const PAGE = 4096

function space (...ranges: readonly (readonly [number, number])[]): IovaSpace {
  const result = new IovaSpace()
  for (const [iova, byteLength] of ranges) result.insert(new Region(iova, byteLength, 3, undefined, 0))
  return result
}

describe('IovaSpace', () => {
  it('finds the region that an address lies in, up to its last byte', () => {
    const regions = space([PAGE, PAGE], [3 * PAGE, PAGE])
    expect(regions.find(PAGE)?.iova).toBe(PAGE)
    expect(regions.find(2 * PAGE - 1)?.iova).toBe(PAGE)
    expect(regions.find(3 * PAGE)?.iova).toBe(3 * PAGE)
  })

  it('finds nothing below, between and above the regions', () => {
    const regions = space([PAGE, PAGE], [3 * PAGE, PAGE])
    expect(regions.find(PAGE - 1)).toBeUndefined()
    expect(regions.find(2 * PAGE)).toBeUndefined()
    expect(regions.find(4 * PAGE)).toBeUndefined()
    expect(regions.find(NaN)).toBeUndefined()
    expect(regions.find(Infinity)).toBeUndefined()
  })

  it('does not find a region that was removed, even the one found last', () => {
    const regions = space([PAGE, PAGE])
    const region = regions.find(PAGE)!
    regions.remove(region)
    expect(regions.find(PAGE)).toBeUndefined()
    expect(regions.regionCount).toBe(0)
  })

  it('holds regions up to the end of the addresses', () => {
    const regions = space([2 ** 53 - PAGE, PAGE])
    expect(regions.find(2 ** 53 - 1)?.end).toBe(2 ** 53)
  })

  it('sees an overlap at either end and inside', () => {
    const regions = space([4 * PAGE, 4 * PAGE])
    expect(regions.overlaps(3 * PAGE, 5 * PAGE)).toBe(true)
    expect(regions.overlaps(7 * PAGE, 9 * PAGE)).toBe(true)
    expect(regions.overlaps(5 * PAGE, 6 * PAGE)).toBe(true)
    expect(regions.overlaps(0, 20 * PAGE)).toBe(true)
    expect(regions.overlaps(3 * PAGE, 4 * PAGE)).toBe(false)
    expect(regions.overlaps(8 * PAGE, 9 * PAGE)).toBe(false)
  })

  it('lists the regions inside a range in order', () => {
    const regions = space([8 * PAGE, PAGE], [2 * PAGE, PAGE], [4 * PAGE, 2 * PAGE])
    expect(regions.inside(PAGE, 6 * PAGE)?.map(region => region.iova)).toEqual([2 * PAGE, 4 * PAGE])
    expect(regions.inside(0, 2 ** 64)?.map(region => region.iova)).toEqual([2 * PAGE, 4 * PAGE, 8 * PAGE])
    expect(regions.inside(0, PAGE)).toEqual([])
    expect(regions.inside(3 * PAGE, 4 * PAGE)).toEqual([])
  })

  it('refuses to list a range that cuts a region at its start or its end', () => {
    const regions = space([2 * PAGE, PAGE], [4 * PAGE, 2 * PAGE])
    expect(regions.inside(0, 5 * PAGE)).toBeUndefined()
    expect(regions.inside(5 * PAGE, 8 * PAGE)).toBeUndefined()
  })

  it('keeps 65,535 regions in any order', () => {
    const count = 65_535
    const order = Array.from({ length: count }, (_, index) => (index * 40_507) % count)
    const regions = space(...order.map(index => [index * 2 * PAGE, PAGE] as const))
    const found = order.filter(index => regions.find(index * 2 * PAGE + 17)?.iova === index * 2 * PAGE)
    const missed = order.filter(index => regions.find((index * 2 + 1) * PAGE) === undefined)
    expect(found).toHaveLength(count)
    expect(missed).toHaveLength(count)
    for (const index of order.slice(1).reverse()) regions.remove(regions.find(index * 2 * PAGE)!)
    expect(regions.inside(0, 2 ** 53)?.map(region => region.iova)).toEqual([order[0]! * 2 * PAGE])
  })
})
