import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PAGE_BYTES } from '../src/sparse-memory.js'
import { SparseMemory } from '../src/sparse-memory.js'

const GIB = 1024 ** 3

describe('SparseMemory', () => {
  let memory: SparseMemory
  beforeEach(() => {
    memory = new SparseMemory('test', 3 * GIB)
  })
  afterEach(() => {
    memory.close()
  })

  /** Reads without touching the array around. */
  function read (at: number, length: number): Uint8Array {
    const target = new Uint8Array(length).fill(0xee)
    memory.read(at, target, 0, length)
    return target
  }

  it('takes no memory at first', () => {
    expect(memory.allocatedBytes).toBe(0)
  })

  it('takes no memory for reads', () => {
    expect(read(GIB - 100_000, 200_000).every(byte => byte === 0)).toBe(true)
    expect(memory.allocatedBytes).toBe(0)
  })

  it('takes a page for a byte', () => {
    memory.write(GIB + 5, Uint8Array.of(1), 0, 1)
    expect(memory.allocatedBytes).toBe(PAGE_BYTES)
  })

  it('reads what was written across the border of two windows', () => {
    const source = Uint8Array.from({ length: 10_000 }, (_, index) => index % 251)
    memory.write(2 * GIB - 5000, source, 0, source.length)
    expect(Buffer.compare(read(2 * GIB - 5000, 10_000), source)).toBe(0)
    expect(read(2 * GIB - 5001, 1)).toEqual(Uint8Array.of(0))
  })

  it('reads runs of written and unwritten pages in one go', () => {
    memory.write(PAGE_BYTES, new Uint8Array(PAGE_BYTES).fill(1), 0, PAGE_BYTES)
    memory.write(3 * PAGE_BYTES, new Uint8Array(2 * PAGE_BYTES).fill(2), 0, 2 * PAGE_BYTES)
    const pages = read(0, 6 * PAGE_BYTES).filter((_, index) => index % PAGE_BYTES === 17)
    expect(pages).toEqual(Uint8Array.of(0, 1, 0, 2, 2, 0))
  })

  it('writes from and reads to the middle of an array', () => {
    memory.write(100, Uint8Array.of(9, 1, 2, 9), 1, 2)
    const target = Uint8Array.of(7, 7, 7, 7)
    memory.read(100, target, 1, 2)
    expect(target).toEqual(Uint8Array.of(7, 1, 2, 7))
  })

  it('writes from a view that begins inside its buffer', () => {
    memory.write(0, Uint8Array.of(0, 5, 6).subarray(1), 1, 1)
    expect(read(0, 1)).toEqual(Uint8Array.of(6))
  })

  it('gives zeroed pages back and keeps the parts of pages around them', async () => {
    memory.write(0, new Uint8Array(100 * PAGE_BYTES).fill(1), 0, 100 * PAGE_BYTES)
    await memory.zero(512, 99 * PAGE_BYTES)
    expect(memory.allocatedBytes).toBe(2 * PAGE_BYTES)
    expect(read(0, 513)).toEqual(new Uint8Array(513).fill(1, 0, 512))
    expect(read(99 * PAGE_BYTES + 511, 2)).toEqual(Uint8Array.of(0, 1))
  })

  it('zeroes little at once', () => {
    memory.write(0, new Uint8Array(3 * PAGE_BYTES).fill(1), 0, 3 * PAGE_BYTES)
    expect(memory.zero(1, 2 * PAGE_BYTES)).toBeUndefined()
    expect(read(0, 2)).toEqual(Uint8Array.of(1, 0))
    expect(read(2 * PAGE_BYTES, 2)).toEqual(Uint8Array.of(0, 1))
  })

  it('zeroes inside of one page', () => {
    memory.write(0, new Uint8Array(16).fill(1), 0, 16)
    expect(memory.zero(4, 8)).toBeUndefined()
    expect(read(0, 16)).toEqual(Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1))
  })

  it('zeroes what was never written without taking memory', () => {
    expect(memory.zero(100, 2 * GIB)).toBeUndefined()
    expect(memory.allocatedBytes).toBe(0)
  })

  it('takes a write while it gives pages back', async () => {
    memory.write(0, new Uint8Array(100 * PAGE_BYTES).fill(1), 0, 100 * PAGE_BYTES)
    const zeroed = memory.zero(0, 100 * PAGE_BYTES)
    expect(read(50 * PAGE_BYTES, 1)).toEqual(Uint8Array.of(0))
    memory.write(200 * PAGE_BYTES, Uint8Array.of(3), 0, 1)
    await zeroed
    expect(read(200 * PAGE_BYTES, 1)).toEqual(Uint8Array.of(3))
  })

  it('reaches the end of a memory of many TiB', () => {
    const huge = new SparseMemory('test', 8 * 1024 * GIB)
    huge.write(8 * 1024 * GIB - 1, Uint8Array.of(4), 0, 1)
    const target = new Uint8Array(2)
    huge.read(8 * 1024 * GIB - 2, target, 0, 2)
    const { allocatedBytes } = huge
    huge.close()
    expect(target).toEqual(Uint8Array.of(0, 4))
    expect(allocatedBytes).toBe(PAGE_BYTES)
  })
})
