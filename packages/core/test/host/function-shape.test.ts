import type { PciFunction, RegionInfo } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { differencesOf, shapeOf } from '../../src/host/function-shape.js'

function createFunction (region: Partial<RegionInfo> = {}, vectors = 4): PciFunction {
  return {
    region: index =>
      index === 0 ?
        { index, byteLength: 4096, readable: true, writable: true, ...region } :
        { index, byteLength: 0, readable: false, writable: false },
    interrupts: { info: index => ({ index, count: index === 2 ? vectors : 0 }) }
  } as Partial<PciFunction> as PciFunction
}

const memory = { descriptor: 7, fileOffset: 0, areas: [] }

describe('the shape of a function', () => {
  it('is the same for functions that a client cannot tell apart', () => {
    expect(differencesOf(shapeOf(createFunction()), shapeOf(createFunction()))).toEqual([])
    expect(differencesOf(shapeOf(createFunction({ memory })), shapeOf(createFunction({ memory })))).toEqual([])
  })

  it.each(
    [
      ['a longer region', createFunction({ byteLength: 8192 }), 'BAR 0 was 4096 bytes rw and is 8192 bytes rw'],
      ['a region that is not', createFunction({ byteLength: 0 }), 'BAR 0 was 4096 bytes rw and is none'],
      ['a region to read', createFunction({ writable: false }), 'BAR 0 was 4096 bytes rw and is 4096 bytes r'],
      ['more vectors', createFunction({}, 8), 'MSI-X was 4 vectors and is 8 vectors'],
      [
        'memory to map',
        createFunction({ memory: { ...memory, areas: [{ offset: 0, byteLength: 4096 }] } }),
        'BAR 0 was 4096 bytes rw and is 4096 bytes rw, mappable in 4096 bytes at 0 (file 7)'
      ],
      [
        'an event',
        createFunction({ ioEvents: [{ offset: 8, byteLength: 4, descriptor: 9, dataMatch: 1n }] }),
        'BAR 0 was 4096 bytes rw and is 4096 bytes rw, an event at 8+4 for 1 (file 9)'
      ]
    ] as const
  )('tells of %s', (_, other, difference) => {
    expect(differencesOf(shapeOf(createFunction()), shapeOf(other))).toEqual([difference])
  })
})
