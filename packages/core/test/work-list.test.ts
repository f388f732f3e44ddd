import { describe, expect, it } from 'vitest'
import { WorkList } from '../src/index.js'

function listOf (...items: string[]): WorkList<string> {
  const list = new WorkList<string>()
  for (const item of items) list.add(item)
  return list
}

describe('WorkList', () => {
  it('holds what was added, in order', () => {
    const list = listOf('a', 'b')
    expect([list.count, list.at(0), list.at(1)]).toEqual([2, 'a', 'b'])
  })

  it('is filled again after it was cleared', () => {
    const list = listOf('a', 'b')
    list.clear()
    list.add('c')
    expect([list.count, list.at(0)]).toEqual([1, 'c'])
  })

  it('gives no item that is not in it, also where one was', () => {
    const list = listOf('a', 'b')
    list.truncate(1)
    expect(() => list.at(1)).toThrow('no such item')
    expect(() => list.set(1, 'c')).toThrow('no such item')
  })

  it('is compacted in place', () => {
    const list = listOf('a', 'b', 'c')
    list.set(0, list.at(2))
    list.truncate(1)
    expect([list.count, list.at(0)]).toEqual([1, 'c'])
    expect(() => list.truncate(2)).toThrow('only becomes shorter')
  })

  it('is empty after its release', () => {
    const list = listOf('a')
    list.release()
    expect(list.count).toBe(0)
  })
})
