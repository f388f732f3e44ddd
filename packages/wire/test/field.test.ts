import { describe, expect, it } from 'vitest'
import { ascii, bytes, u128, u16, u32, u64, u8 } from '../src/index.js'

const memory = () => new DataView(new ArrayBuffer(64))

describe('a field', () => {
  it('reads and writes little-endian at its offset from the base', () => {
    const view = memory()
    u8(0).set(view, 16, 0x11)
    u16(2).set(view, 16, 0x2233)
    u32(4).set(view, 16, 0x4455_6677)
    expect([...new Uint8Array(view.buffer, 16, 8)]).toEqual([0x11, 0, 0x33, 0x22, 0x77, 0x66, 0x55, 0x44])
    expect(u8(0).get(view, 16)).toBe(0x11)
    expect(u16(2).get(view, 16)).toBe(0x2233)
    expect(u32(4).get(view, 16)).toBe(0x4455_6677)
  })

  it('is unsigned', () => {
    const view = memory()
    u32(0).set(view, 0, 0xffff_ffff)
    expect(u32(0).get(view, 0)).toBe(0xffff_ffff)
  })

  it('refuses an offset or a size that cannot be', () => {
    expect(() => u32(-1)).toThrow(RangeError)
    expect(() => u8(0.5)).toThrow(RangeError)
    expect(() => bytes(0, 0)).toThrow(RangeError)
  })
})

describe('a 64-bit field', () => {
  it('is exact up to 2^53 - 1', () => {
    const view = memory()
    u64(8).set(view, 0, Number.MAX_SAFE_INTEGER)
    expect(u64(8).get(view, 0)).toBe(Number.MAX_SAFE_INTEGER)
    expect(view.getBigUint64(8, true)).toBe(2n ** 53n - 1n)
  })

  it('never reads a value at or above 2^53 as less than that', () => {
    const view = memory()
    view.setBigUint64(0, 2n ** 53n + 1n, true)
    expect(u64(0).get(view, 0)).toBeGreaterThanOrEqual(2 ** 53)
    view.setBigUint64(0, 2n ** 64n - 1n, true)
    expect(u64(0).get(view, 0)).toBeGreaterThanOrEqual(2 ** 53)
  })

  it('writes values whose low word has its highest bit set', () => {
    const view = memory()
    u64(0).set(view, 0, 0x12_8000_0001)
    expect(view.getBigUint64(0, true)).toBe(0x12_8000_0001n)
  })
})

describe('a 128-bit counter', () => {
  it('writes below 2^64 and clears the rest', () => {
    const view = memory()
    new Uint8Array(view.buffer).fill(0xff)
    u128(16).set(view, 0, 0x1_0000_0002)
    expect(view.getBigUint64(16, true)).toBe(0x1_0000_0002n)
    expect(view.getBigUint64(24, true)).toBe(0n)
    expect(u128(16).get(view, 0)).toBe(0x1_0000_0002)
  })

  it('counts the upper half', () => {
    const view = memory()
    view.setUint8(8, 1)
    expect(u128(0).get(view, 0)).toBe(2 ** 64)
  })
})

describe('a run of bytes', () => {
  it('is a window on the same memory', () => {
    const view = memory()
    bytes(4, 3).get(view, 8)[1] = 7
    expect(view.getUint8(13)).toBe(7)
  })

  it('fills what the value leaves with zeroes, and nothing beyond', () => {
    const view = memory()
    new Uint8Array(view.buffer).fill(0xff)
    bytes(4, 3).set(view, 0, Uint8Array.of(1))
    expect([...new Uint8Array(view.buffer, 3, 5)]).toEqual([0xff, 1, 0, 0, 0xff])
  })

  it('respects the offset of the view in its buffer', () => {
    const view = new DataView(new ArrayBuffer(32), 16)
    bytes(2, 2).set(view, 4, Uint8Array.of(8, 9))
    expect(view.getUint16(6, true)).toBe(0x0908)
  })

  it('refuses more than fits', () => {
    expect(() => bytes(0, 2).set(memory(), 0, new Uint8Array(3))).toThrow(RangeError)
  })
})

describe('an ASCII field', () => {
  it('pads with spaces and reads without them', () => {
    const view = memory()
    ascii(1, 6).set(view, 0, 'ab c')
    expect([...new Uint8Array(view.buffer, 0, 8)]).toEqual([0, 0x61, 0x62, 0x20, 0x63, 0x20, 0x20, 0])
    expect(ascii(1, 6).get(view, 0)).toBe('ab c')
  })

  it('takes zeroes at the end for padding', () => {
    expect(ascii(0, 4).get(memory(), 0)).toBe('')
  })

  it('refuses text that is too long or not ASCII', () => {
    expect(() => ascii(0, 2).set(memory(), 0, 'abc')).toThrow(RangeError)
    expect(() => ascii(0, 2).set(memory(), 0, 'ä')).toThrow(RangeError)
  })
})
