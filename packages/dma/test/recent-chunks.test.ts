import { DmaAccess } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { Chunk } from '../src/mapped-pages.js'
import type { MappedPages } from '../src/mapped-pages.js'
import { RecentChunks } from '../src/recent-chunks.js'
import { Region } from '../src/region.js'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

/** A chunk as far as it is looked at here. */
function chunkOf (iova: number, byteLength = PAGE): Chunk {
  const region = new Region(iova, byteLength, DmaAccess.READ, undefined, 0)
  return new Chunk({ region } as MappedPages, iova, new ArrayBuffer(byteLength))
}

describe('RecentChunks', () => {
  it('finds a chunk by any address of the pages that it was kept for, and by no other', () => {
    const recent = new RecentChunks()
    const chunk = chunkOf(16 * PAGE, 2 * PAGE)
    recent.add(16 * PAGE + 7, chunk, 1)
    recent.add(200 * PAGE, chunkOf(200 * PAGE), 1)
    const addresses = [16 * PAGE - 1, 18 * PAGE, 17 * PAGE, 16 * PAGE, 17 * PAGE - 1]
    // What was found last is found as a whole.
    expect(addresses.map(iova => recent.find(iova))).toEqual([false, false, false, true, true])
    expect(recent.find(17 * PAGE)).toBe(true)
    expect(recent).toMatchObject({ iova: 16 * PAGE, limit: 18 * PAGE, access: DmaAccess.READ })
    expect([recent.chunk, recent.bytes]).toEqual([chunk, chunk.bytes])
  })

  it('finds nothing at another address that shares the place, however high', () => {
    const recent = new RecentChunks()
    recent.add(0, chunkOf(0), 1)
    for (const iova of [64 * PAGE, 2 ** 32, 2 ** 44, 2 ** 53 - PAGE]) expect(recent.find(iova)).toBe(false)
    const high = chunkOf(2 ** 52)
    recent.add(2 ** 52, high, 1)
    expect(recent.find(2 ** 52 + PAGE - 1)).toBe(true)
    expect(recent.chunk).toBe(high)
    expect(recent.find(0)).toBe(false)
  })

  it('forgets what overlaps a range, the last one too, and nothing else', () => {
    const recent = new RecentChunks()
    const chunks = [10, 11, 12, 13].map(page => chunkOf(page * PAGE))
    for (const chunk of chunks) recent.add(chunk.iova, chunk, 1)
    recent.find(12 * PAGE)
    recent.forget(11 * PAGE, 13 * PAGE)
    expect([recent.chunk, recent.bytes.length]).toEqual([undefined, 0])
    expect(chunks.map(chunk => recent.find(chunk.iova))).toEqual([true, false, false, true])
  })

  it('forgets a chunk wherever in it was looked for', () => {
    const recent = new RecentChunks()
    const large = chunkOf(1000 * PAGE, 500 * PAGE)
    const pages = [1000, 1063, 1064, 1300, 1499]
    for (const page of pages) recent.add(page * PAGE, large, 1)
    recent.add(0, chunkOf(0), 1)
    recent.forget(large.iova, large.end)
    expect(pages.map(page => recent.find(page * PAGE))).toEqual(pages.map(() => false))
  })

  it('forgets everything', () => {
    const recent = new RecentChunks()
    const chunks = [1, 2].map(page => chunkOf(page * PAGE))
    for (const chunk of chunks) recent.add(chunk.iova, chunk, 1)
    recent.forgetAll()
    expect(chunks.map(chunk => recent.find(chunk.iova))).toEqual([false, false])
  })

  it('has a place for each of many regions that lie one after the other', () => {
    const recent = new RecentChunks()
    const chunks = Array.from({ length: 5000 }, (_, index) => chunkOf((index + 3) * PAGE))
    for (let round = 0; round < 2; round++) for (const chunk of chunks) recent.add(chunk.iova, chunk, chunks.length)
    expect(chunks.every(chunk => recent.find(chunk.iova) && recent.chunk === chunk)).toBe(true)
  })

  it('never stands for memory that moved: every region is seen where it is now', async () => {
    const { dma } = makeManager()
    const count = 300
    const file = makeFile(2 * count * PAGE, { seal: true })
    for (let page = 0; page < count; page++) dma.map(regionOf(file, page * PAGE, { fileOffset: page * PAGE }))
    const write = (value: number): void => {
      for (let page = 0; page < count; page++) void dma.write(page * PAGE, Uint8Array.of(value))
    }
    write(1)
    write(2)
    for (let page = 0; page < count; page++) {
      await dma.unmap(page * PAGE, PAGE)
      dma.map(regionOf(file, page * PAGE, { fileOffset: (count + page) * PAGE }))
    }
    write(3)
    const firstBytes = Array.from({ length: 2 * count }, (_, page) => file.read(page * PAGE, 1)[0])
    expect(firstBytes).toEqual([...new Array<number>(count).fill(2), ...new Array<number>(count).fill(3)])
  })
})
