import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataBuffer } from '../../src/guest/data-buffer.js'
import { GuestFile } from '../../src/guest/guest-file.js'
import { GuestMemory } from '../../src/guest/guest-memory.js'
import type { DmaClient } from '../../src/guest/guest-memory.js'
import { pattern } from '../../src/guest/pattern.js'

let memory: GuestMemory
let log: string[]
const client: DmaClient = {
  mapDma: mapping => {
    log.push(`map ${mapping.iova} ${mapping.byteLength} at ${mapping.fileOffset ?? 'no file'}`)
    return Promise.resolve()
  },
  unmapDma: (iova, byteLength) => {
    log.push(`unmap ${iova} ${byteLength}`)
    return Promise.resolve()
  }
}

beforeEach(() => {
  memory = new GuestMemory()
  log = []
})
afterEach(() => memory.close())

describe('GuestMemory', () => {
  it('reads what was written across regions that touch', () => {
    memory.add({ iova: 0x1000, byteLength: 4096 })
    memory.add({ iova: 0x2000, byteLength: 4096 })
    memory.store(0x1ffe, new Uint8Array([1, 2, 3, 4]))
    expect([...memory.bytesAt(0x1ffd, 6)]).toEqual([0, 1, 2, 3, 4, 0])
  })

  it('has nothing between regions', () => {
    memory.add({ iova: 0x1000, byteLength: 4096 })
    memory.add({ iova: 0x3000, byteLength: 4096 })
    expect(memory.read(0x1ffe, new Uint8Array(4))).toBe(false)
    expect(memory.write(0x2ffe, new Uint8Array(4))).toBe(false)
    expect(() => memory.bytesAt(0x5000, 1)).toThrow(RangeError)
  })

  it('maps each region with its place in the file, and without one when it is not shared', async () => {
    const file = GuestFile.create(16384)
    memory.add({ iova: 0x1000, byteLength: 4096, file, fileOffset: 8192 })
    memory.add({ iova: 0x8000, byteLength: 4096, shared: false })
    await memory.map(client)
    expect(log).toEqual(['map 4096 4096 at 8192', 'map 32768 4096 at no file'])
  })

  it('keeps the contents of a region that moves, and watches the place that it left', async () => {
    const file = GuestFile.create(16384)
    const region = memory.add({ iova: 0x1000, byteLength: 4096, file })
    const bytes = pattern(4096, 1)
    memory.store(0x1000, bytes)
    const left = await memory.move(client, region, 8192)
    expect(log).toEqual(['unmap 4096 4096', 'map 4096 4096 at 8192'])
    expect(memory.bytesAt(0x1000, 4096)).toEqual(bytes)
    expect(left.isUntouched).toBe(true)
    file.bytes[17] = 0
    expect(left.isUntouched).toBe(false)
  })

  it('sees a write past the end of a region', () => {
    const region = memory.add({ iova: 0, byteLength: 4096 })
    expect(memory.areGuardsIntact).toBe(true)
    region.file.bytes[region.fileOffset + region.byteLength] = 0
    expect(memory.areGuardsIntact).toBe(false)
  })

  it('sees a write before the start of a region', () => {
    const region = memory.add({ iova: 0, byteLength: 4096 })
    region.file.bytes[region.fileOffset - 1] = 0
    expect(memory.areGuardsIntact).toBe(false)
  })

  it('allocates pages across regions that touch', () => {
    memory.add({ iova: 0x1000, byteLength: 8192 })
    memory.add({ iova: 0x3000, byteLength: 8192 })
    expect(memory.allocate(4096)).toBe(0x1000)
    expect(memory.allocate(12288)).toBe(0x2000)
    expect(() => memory.allocate(1)).toThrow(RangeError)
  })

  it('allocates again what was given back', () => {
    memory.add({ iova: 0x1000, byteLength: 8192 })
    const first = memory.allocate(4096)
    memory.allocate(4096)
    memory.free(first)
    expect(memory.allocate(100)).toBe(first)
  })

  it('allocates nothing of a range that was reserved', () => {
    memory.add({ iova: 0, byteLength: 12288 })
    memory.reserve(4096, 4096)
    expect([memory.allocate(4096), memory.allocate(4096)]).toEqual([0, 8192])
  })

  it('is laid out anew with its contents, in any number of regions', () => {
    const file = GuestFile.create(16384)
    memory.add({ iova: 0x10000, byteLength: 8192, file })
    memory.store(0x10ffe, Uint8Array.of(1, 2, 3, 4))
    const regions = memory.relocate(0x10000, 8192, [
      { iova: 0x10000, byteLength: 4096, file, fileOffset: 12288 },
      { iova: 0x11000, byteLength: 4096, file, fileOffset: 4096 }
    ])
    expect(memory.regions).toEqual(regions)
    expect(memory.bytesAt(0x10ffe, 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
    expect(memory.locate(0x10000, 4096)).toEqual({ file, position: 12288 })
  })

  it('is not laid out anew where a region would be cut in two', () => {
    const file = GuestFile.create(8192)
    memory.add({ iova: 0x10000, byteLength: 8192, file })
    expect(() => memory.relocate(0x10000, 4096, [{ iova: 0x10000, byteLength: 4096, file }])).toThrow(RangeError)
  })
})

describe('DataBuffer', () => {
  it('has a page for each page that it touches', () => {
    memory.add({ iova: 0x10000, byteLength: 65536 })
    const buffer = DataBuffer.contiguous(memory, 8192, 512)
    expect(buffer.pages).toEqual([0x10200, 0x11000, 0x12000])
  })

  it('scatters its pages so that no two follow one another', () => {
    memory.add({ iova: 0x10000, byteLength: 65536 })
    const buffer = DataBuffer.scattered(memory, 12288)
    expect(buffer.pages).toEqual([0x12000, 0x11000, 0x10000])
  })

  it('reads back its pattern from scattered pages', () => {
    memory.add({ iova: 0x10000, byteLength: 65536 })
    const buffer = DataBuffer.scattered(memory, 10000, 100)
    const bytes = buffer.fillPattern(5)
    expect(buffer.read()).toEqual(bytes)
    expect(memory.bytesAt(buffer.pages[1]!, 16)).toEqual(bytes.slice(3996, 4012))
  })
})
