import { describe, expect, it } from 'vitest'
import { bits } from '../src/index.js'

describe('bits', () => {
  it('takes a field out of a word', () => {
    expect(bits(10, 7).get(0x780)).toBe(0xf)
    expect(bits(0).get(0xffff_fffe)).toBe(0)
  })

  it('puts a field into a word and leaves the others', () => {
    expect(bits(10, 7).set(0xffff_ffff, 0)).toBe(0xffff_f87f)
    expect(bits(15, 8).set(0x0000_0001, 0xab)).toBe(0xab01)
  })

  it('cuts off what does not fit', () => {
    expect(bits(3, 0).set(0, 0x1f)).toBe(0xf)
  })

  it('stays unsigned at the highest bit', () => {
    expect(bits(31).set(0, 1)).toBe(0x8000_0000)
    expect(bits(31, 30).get(0xffff_ffff)).toBe(3)
    expect(bits(31, 0).get(0xffff_ffff)).toBe(0xffff_ffff)
  })

  it('knows its mask and its largest value', () => {
    expect(bits(31, 24).mask).toBe(0xff00_0000)
    expect(bits(31, 24).max).toBe(0xff)
    expect(bits(31, 0).max).toBe(0xffff_ffff)
  })

  it('tells whether any of its bits is set', () => {
    expect(bits(4).isSet(0x10)).toBe(true)
    expect(bits(31).isSet(0x7fff_ffff)).toBe(false)
  })

  it('refuses bits that are not in a word', () => {
    expect(() => bits(32)).toThrow(RangeError)
    expect(() => bits(0, 4)).toThrow('MSB, LSB')
  })
})
