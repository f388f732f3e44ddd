import { describe, expect, it } from 'vitest'
import { MemoryBackend } from '../src/index.js'
import { PAGE_BYTES } from '../src/page-views.js'
import { SourceViews } from '../src/source-views.js'

const MIB = 1024 * 1024

/** Asks for the same page so often that its view is kept. */
function settle (views: SourceViews, source: Uint8Array, offset: number): Uint8Array {
  for (let time = 0; time < 200; time += 1) views.view(source, offset, PAGE_BYTES)
  return views.view(source, offset, PAGE_BYTES)
}

describe('SourceViews', () => {
  const memory = new ArrayBuffer(4 * MIB)
  const source = new Uint8Array(memory, PAGE_BYTES, 2 * MIB)

  it('gives a view of exactly the part, whatever its place and length', () => {
    const views = new SourceViews()
    const parts = [[0, PAGE_BYTES], [512, PAGE_BYTES], [100, 7], [PAGE_BYTES, 2 * PAGE_BYTES]] as const
    const given = parts.map(([offset, length]) => views.view(source, offset, length))
    expect(given.map(view => [view.buffer === memory, view.byteOffset - PAGE_BYTES, view.length])).toEqual(
      parts.map(([offset, length]) => [true, offset, length])
    )
  })

  it('gives the view of a page that is used again and again', () => {
    const views = new SourceViews()
    expect(settle(views, source, 8192)).toBe(views.view(source, 8192, PAGE_BYTES))
  })

  it('tells apart pages that share a slot, and arrays', () => {
    const views = new SourceViews()
    const other = new Uint8Array(new ArrayBuffer(8 * MIB))
    settle(views, other, 0)
    expect(views.view(other, 4 * MIB, PAGE_BYTES).byteOffset).toBe(4 * MIB)
    expect(views.view(other, 512, PAGE_BYTES).byteOffset).toBe(512)
    expect(views.view(source, 0, PAGE_BYTES).buffer).toBe(memory)
    expect(views.view(other, 0, PAGE_BYTES).buffer).toBe(other.buffer)
  })

  it("keeps no view of a short array, which is somebody's buffer", () => {
    const views = new SourceViews()
    const short = new Uint8Array(MIB - 1)
    expect(settle(views, short, 0)).not.toBe(views.view(short, 0, PAGE_BYTES))
  })

  it('refuses memory that was taken away, although its view was kept', () => {
    const views = new SourceViews()
    const guest = new Uint8Array(2 * MIB)
    settle(views, guest, 4096)
    structuredClone(guest.buffer, { transfer: [guest.buffer] })
    expect(() => views.view(guest, 4096, PAGE_BYTES)).toThrow(TypeError)
  })

  it('refuses a part that is not inside', () => {
    expect(() => new SourceViews().view(new Uint8Array(2 * MIB), 2 * MIB - 1, PAGE_BYTES)).toThrow(RangeError)
  })
})

describe('a memory back end', () => {
  it('fails to write from guest memory that was taken away, however often it wrote from it', async () => {
    await using disk = MemoryBackend.open(MIB, { blockSize: 512 })
    const guest = new Uint8Array(2 * MIB).fill(5)
    const page = {
      ...{ byteLength: PAGE_BYTES, segmentCount: 1 },
      bytesAt: () => guest,
      offsetAt: () => 8192,
      lengthAt: () => PAGE_BYTES
    }
    for (let time = 0; time < 200; time += 1) disk.write(0, page)
    structuredClone(guest.buffer, { transfer: [guest.buffer] })
    expect(() => disk.write(8, page)).toThrow(TypeError)
  })
})
