import { describe, expect, it } from 'vitest'
import { BouncePool } from '../src/bounce-pool.js'

const MIB = 2 ** 20

describe('BouncePool', () => {
  it('gives buffers of the next power of two', () => {
    const pool = new BouncePool(MIB)
    expect([1, 4096, 4097, 65_536, 65_537].map(bytes => pool.take(bytes)?.byteLength))
      .toEqual([4096, 4096, 8192, 65_536, 131_072])
  })

  it('gives no more than it may, until some come back', () => {
    const pool = new BouncePool(MIB)
    const buffer = pool.take(MIB)!
    expect(pool.take(1)).toBeUndefined()
    pool.giveBack(buffer, true)
    expect(pool.take(1)).toBeDefined()
  })

  it('uses buffers again, without what was in them', () => {
    const pool = new BouncePool(MIB)
    const buffer = pool.take(4096)!
    buffer.fill(0xff)
    pool.giveBack(buffer, true)
    const again = pool.take(4096)!
    expect(again).toBe(buffer)
    expect(again.every(byte => byte === 0)).toBe(true)
  })

  it('does not use a buffer again that somebody may still write to', () => {
    const pool = new BouncePool(MIB)
    const buffer = pool.take(4096)!
    pool.giveBack(buffer, false)
    expect(pool.take(4096)).not.toBe(buffer)
    expect(pool.bytesInUse).toBe(4096)
  })
})
