import { describe, expect, it } from 'vitest'
import { copyBytes } from '../src/copy-bytes.js'

describe('copyBytes', () => {
  it('copies a part of an array to a place in another', () => {
    const target = new Uint8Array(6)
    copyBytes(target, 2, Uint8Array.of(1, 2, 3, 4), 1, 3)
    expect([...target]).toEqual([0, 0, 2, 3, 4, 0])
  })

  it('copies between views of one memory that overlap', () => {
    const memory = Uint8Array.of(1, 2, 3, 4, 5).buffer
    copyBytes(new Uint8Array(memory, 1), 0, new Uint8Array(memory), 0, 4)
    expect([...new Uint8Array(memory)]).toEqual([1, 1, 2, 3, 4])
  })

  it('copies nothing', () => {
    const target = Uint8Array.of(7)
    copyBytes(target, 1, new Uint8Array(0), 0, 0)
    expect([...target]).toEqual([7])
  })

  it.each([
    ['past the end of the target', 3, 0, 2],
    ['past the end of the source', 0, 7, 2],
    ['before the start of the target', -1, 0, 1],
    ['before the start of the source', 0, -1, 1],
    ['a length below zero', 0, 0, -1],
    ['a length beyond all memory', 0, 0, 2 ** 60],
    ['an offset beyond all memory', 2 ** 60, 0, 1],
    ['what is no number', Number.NaN, 0, 1]
  ])('refuses %s, and copies nothing', (_, targetOffset, sourceOffset, length) => {
    const target = new Uint8Array(4)
    expect(() => copyBytes(target, targetOffset, new Uint8Array(8).fill(1), sourceOffset, length)).toThrow(RangeError)
    expect([...target]).toEqual([0, 0, 0, 0])
  })

  it.each([['target', 0], ['source', 1]])('refuses a %s whose memory was taken away', (_, which) => {
    const arrays = [new Uint8Array(4), new Uint8Array(4)] as const
    const { buffer } = arrays[which]!
    structuredClone(buffer, { transfer: [buffer] })
    expect(() => copyBytes(arrays[0], 0, arrays[1], 0, 4)).toThrow(RangeError)
  })

  it('takes nothing but arrays of bytes', () => {
    const words = new Uint32Array(4) as unknown as Uint8Array
    expect(() => copyBytes(words, 0, new Uint8Array(4), 0, 4)).toThrow(TypeError)
    expect(() => copyBytes(new Uint8Array(4), 0, words, 0, 4)).toThrow(TypeError)
    expect(() => copyBytes([] as unknown as Uint8Array, 0, new Uint8Array(4), 0, 4)).toThrow(TypeError)
  })
})
