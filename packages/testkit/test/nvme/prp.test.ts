import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataBuffer } from '../../src/guest/data-buffer.js'
import { GuestMemory } from '../../src/guest/guest-memory.js'
import { buildPrps } from '../../src/nvme/prp.js'

const PAGE = 4096
let memory: GuestMemory

beforeEach(() => {
  memory = new GuestMemory()
  memory.add({ iova: 0x10_0000, byteLength: 8 * 1024 * 1024 })
})
afterEach(() => memory.close())

function entries (iova: number, count: number): number[] {
  return [...new BigUint64Array(memory.bytesAt(iova, count * 8).buffer)].map(Number)
}

describe('buildPrps', () => {
  it('needs one entry for a buffer in one page', () => {
    const buffer = DataBuffer.contiguous(memory, 512, 1024)
    expect(buildPrps(memory, buffer)).toEqual({ prp1: buffer.iova, prp2: 0, lists: [] })
  })

  it('needs two entries for a buffer in two pages', () => {
    const buffer = DataBuffer.contiguous(memory, PAGE, 512)
    expect(buildPrps(memory, buffer)).toEqual({ prp1: buffer.iova, prp2: buffer.iova - 512 + PAGE, lists: [] })
  })

  it('lists the pages after the first', () => {
    const buffer = DataBuffer.scattered(memory, 3 * PAGE)
    const { prp1, prp2, lists } = buildPrps(memory, buffer)
    expect(prp1).toBe(buffer.pages[0])
    expect(lists).toEqual([prp2])
    expect(entries(prp2, 3)).toEqual([buffer.pages[1], buffer.pages[2], 0])
  })

  it('fills a page of the list to its last entry before it chains', () => {
    const buffer = DataBuffer.contiguous(memory, 513 * PAGE)
    const { prp2, lists } = buildPrps(memory, buffer)
    expect(lists).toHaveLength(1)
    expect(entries(prp2, 512)).toEqual(buffer.pages.slice(1))
  })

  it('chains through the last entry of a page', () => {
    const buffer = DataBuffer.contiguous(memory, 514 * PAGE)
    const { prp2, lists } = buildPrps(memory, buffer)
    expect(lists).toHaveLength(2)
    expect(entries(prp2, 512)).toEqual([...buffer.pages.slice(1, 512), lists[1]])
    expect(entries(lists[1]!, 2)).toEqual(buffer.pages.slice(512))
  })

  it('starts a list inside its page when asked to', () => {
    const buffer = DataBuffer.contiguous(memory, 4 * PAGE)
    const { prp2, lists } = buildPrps(memory, buffer, { listOffset: PAGE - 16 })
    expect(prp2).toBe(lists[0]! + PAGE - 16)
    expect(entries(prp2, 2)).toEqual([buffer.pages[1], lists[1]])
    expect(entries(lists[1]!, 2)).toEqual(buffer.pages.slice(2))
  })
})
