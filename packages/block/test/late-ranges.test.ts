import { describe, expect, it } from 'vitest'
import { LateRanges } from '../src/index.js'

const blocks = (start: number, count: number) => [{ start, count }]

describe('LateRanges', () => {
  it('holds nothing while nothing is late', () => {
    const late = new LateRanges<string>()
    expect([late.isEmpty, late.hold('write', blocks(0, 8))]).toEqual([true, false])
  })

  it('holds what overlaps a late change, and nothing else', () => {
    const late = new LateRanges<string>()
    late.add('late', [...blocks(8, 4), ...blocks(100, 1)])
    expect(late.isEmpty).toBe(false)
    const held = [[0, 8], [7, 2], [11, 1], [12, 88], [99, 2], [101, 5]].map(([start = 0, count = 0]) =>
      late.hold('new', blocks(start, count))
    )
    expect(held).toEqual([false, true, true, false, true, false])
  })

  it('holds a request of which any range overlaps', () => {
    const late = new LateRanges<string>()
    late.add('late', blocks(8, 4))
    expect(late.hold('new', [...blocks(0, 1), ...blocks(9, 1)])).toBe(true)
  })

  it('lets go of what no other late change touches, in order', () => {
    const late = new LateRanges<string>()
    late.add('one', blocks(0, 4))
    late.add('two', blocks(4, 4))
    for (const [name, start] of [['a', 0], ['both', 3], ['b', 5], ['c', 1]] as const) late.hold(name, blocks(start, 2))
    expect(late.end('one')).toEqual(['a', 'c'])
    expect(late.end('two')).toEqual(['both', 'b'])
    expect(late.isEmpty).toBe(true)
  })

  it('knows nothing of what was not late', () => {
    const late = new LateRanges<string>()
    late.add('one', blocks(0, 4))
    late.hold('held', blocks(0, 1))
    expect([late.end('other'), late.isEmpty]).toEqual([[], false])
  })

  it('drops what is not wanted any more', () => {
    const late = new LateRanges<string>()
    late.add('late', blocks(0, 4))
    for (const name of ['a', 'b', 'c']) late.hold(name, blocks(0, 1))
    expect(late.drop(name => name !== 'b')).toEqual(['a', 'c'])
    expect(late.end('late')).toEqual(['b'])
  })
})
