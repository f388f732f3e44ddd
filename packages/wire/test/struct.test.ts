import { describe, expect, it } from 'vitest'
import { struct, u16, u32, u8 } from '../src/index.js'

describe('struct', () => {
  it('keeps its fields and its size', () => {
    const Header = struct('Header', 16, { id: u16(0), command: u16(2), size: u32(4) })
    expect(Header.byteLength).toBe(16)
    expect(Header.size.offset).toBe(4)
    expect(Object.isFrozen(Header)).toBe(true)
  })

  it('allows gaps, for what is reserved', () => {
    expect(struct('Gap', 8, { first: u8(0), last: u8(7) }).last.offset).toBe(7)
  })

  it('refuses fields that overlap', () => {
    expect(() => struct('S', 8, { a: u32(0), b: u16(2) })).toThrow('S.b overlaps the field before it')
  })

  it('refuses fields out of order', () => {
    expect(() => struct('S', 8, { a: u32(4), b: u16(0) })).toThrow('out of order')
  })

  it('refuses fields that leave the structure', () => {
    expect(() => struct('S', 5, { a: u32(0), b: u16(4) })).toThrow('S is 5 bytes, its fields need 6')
  })

  it('refuses a field with the name of the size', () => {
    expect(() => struct('S', 8, { byteLength: u32(0) } as never)).toThrow('S.byteLength')
  })
})
