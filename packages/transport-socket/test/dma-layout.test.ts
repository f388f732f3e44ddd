import { describe, expect, it } from 'vitest'
import { examineReadReply, isZero } from '../src/dma-layout.js'
import { words } from './wire-bytes.js'

/** The payload of a reply, with the address and the lower count in front. */
const examine = (count: number, afterCount: readonly number[]): unknown => {
  const payload = Uint8Array.from([...words(0x1000, 0, count), ...afterCount])
  return examineReadReply(new DataView(payload.buffer), 0, payload.length, count)
}

describe('examineReadReply', () => {
  it("takes what is not zero after the lower count for data in QEMU's layout", () => {
    expect(examine(4, [0, 0, 0, 1, 0, 0, 0, 0])).toEqual({ kind: 'certain', layout: 'qemu' })
  })

  it("takes what is not zero in the last four bytes for data in the specification's layout", () => {
    expect(examine(8, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9])).toEqual({ kind: 'certain', layout: 'specification' })
  })

  it('cannot tell where data is in the middle', () => {
    expect(examine(8, [0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0])).toEqual({ kind: 'ambiguous', firstByte: 5 })
  })

  it('cannot tell where nothing is', () => {
    expect(examine(8, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])).toEqual({ kind: 'none' })
  })

  it("takes a reply without padding for QEMU's layout", () => {
    expect(examine(4, [0, 0, 0, 0])).toEqual({ kind: 'certain', layout: 'qemu' })
  })

  it.each([[[]], [[1, 2, 3]], [[1, 2, 3, 4, 5, 6, 7]]])('throws for a reply that is too short: %j', afterCount => {
    expect(() => examine(4, afterCount)).toThrow(/4 bytes/)
  })
})

describe('isZero', () => {
  it('tells zeroes from the rest', () => {
    expect([isZero(new Uint8Array(9)), isZero(Uint8Array.of(0, 0, 1))]).toEqual([true, false])
  })
})
