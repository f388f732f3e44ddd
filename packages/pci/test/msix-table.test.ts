import { beforeEach, describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import { MsixTable } from '../src/msix-table.js'
import { VectorSet } from '../src/vector-set.js'

const ALL = 0xffff_ffff

describe('MsixTable', () => {
  let vectors: VectorSet
  let table: MsixTable
  let triggers: CountingTrigger[]
  beforeEach(() => {
    vectors = new VectorSet(2)
    table = new MsixTable(vectors)
    triggers = [new CountingTrigger(), new CountingTrigger()]
    vectors.assign(0, triggers)
    vectors.setOpen(true)
  })

  it('starts zeroed and masked', () => {
    expect([0, 4, 8, 12].map(offset => table.read(offset))).toEqual([0, 0, 0, 1])
  })

  it('keeps what is written, without the bits that are reserved', () => {
    for (const offset of [16, 20, 24, 28]) table.write(offset, ALL, ALL)
    expect([16, 20, 24, 28].map(offset => table.read(offset))).toEqual([0xffff_fffc, ALL, ALL, 1])
  })

  it('holds nothing back until it is first written', () => {
    vectors.raise(0)
    expect(triggers[0]?.signals).toBe(1)
  })

  it('counts as a whole once any entry is written', () => {
    table.write(12, 0, ALL)
    vectors.raise(0)
    vectors.raise(1)
    expect(triggers.map(({ signals }) => signals)).toEqual([1, 0])
  })

  it('lets a vector through when its mask bit is cleared', () => {
    table.write(28, 1, ALL)
    vectors.raise(1)
    table.write(28, 0, ALL)
    expect(triggers[1]?.signals).toBe(1)
  })

  it('masks again by a narrow write', () => {
    table.write(12, 0, ALL)
    table.write(12, 1, 0xff)
    vectors.raise(0)
    expect(triggers[0]?.signals).toBe(0)
  })

  it('is out of use again after a reset', () => {
    table.write(0, ALL, ALL)
    table.reset()
    vectors.raise(0)
    expect(triggers[0]?.signals).toBe(1)
    expect([table.read(0), table.read(12)]).toEqual([0, 1])
  })

  it('ignores what is beyond its end', () => {
    table.write(32, ALL, ALL)
    expect(table.read(32)).toBe(0)
  })
})
