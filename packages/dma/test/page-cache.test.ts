import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

describe('PageCache', () => {
  it('maps a region when it is first touched', () => {
    const { dma } = makeManager()
    const file = makeFile(3 * PAGE)
    for (const page of [0, 1, 2]) dma.map(regionOf(file, page * PAGE, { fileOffset: page * PAGE }))
    const before = file.mappingCount
    void dma.read(2 * PAGE, new Uint8Array(1))
    expect([before, file.mappingCount]).toEqual([1, 2])
  })

  it('maps no more regions at a time than it may, and reaches all of them', () => {
    const { dma } = makeManager({ mappingsMax: 4 })
    const pages = Array.from({ length: 300 }, (_, index) => index)
    const file = makeFile(300 * PAGE)
    // Every other page of the file, so that the kernel cannot merge mappings.
    for (const page of pages) {
      dma.map(regionOf(file, page * PAGE, { fileOffset: (page * 2 % 300 + (page < 150 ? 0 : 1)) * PAGE }))
    }
    const faults = pages.map(page => dma.write(page * PAGE, Uint8Array.of(page & 0xff)))
    expect(new Set(faults)).toEqual(new Set([DmaFault.NONE]))
    expect(file.mappingCount).toBeLessThanOrEqual(4)
    const target = new Uint8Array(1)
    const read = pages.map(page => [dma.read(page * PAGE, target), target[0]!])
    expect(read).toEqual(pages.map(page => [DmaFault.NONE, page & 0xff]))
  })

  it('mostly spares what is used again and again', () => {
    const { dma } = makeManager({ mappingsMax: 8 })
    const file = makeFile(256 * PAGE)
    for (let page = 0; page < 128; page += 1) dma.map(regionOf(file, page * PAGE, { fileOffset: page * 2 * PAGE }))
    const peek = dma.createPeek()
    const seen = new Set<Uint8Array>()
    for (let page = 1; page < 128; page += 1) {
      for (const used of [page, 0]) void dma.read(used * PAGE, new Uint8Array(1))
      expect(peek.locate(0, 1, DmaAccess.READ)).toBe(true)
      seen.add(peek.bytes)
    }
    expect(seen.size).toBeLessThan(6)
  })

  it('does not give up what a lease is open on', () => {
    const { dma } = makeManager({ mappingsMax: 2 })
    const file = makeFile(64 * PAGE)
    for (let page = 0; page < 32; page += 1) dma.map(regionOf(file, page * PAGE, { fileOffset: page * 2 * PAGE }))
    const lease = dma.createLease()
    lease.open(DmaAccess.WRITE)
    lease.append(0, 4)
    for (let page = 1; page < 32; page += 1) void dma.read(page * PAGE, new Uint8Array(1))
    lease.bytesAt(0)[lease.offsetAt(0)] = 0x11
    expect(lease.commit()).toBe(DmaFault.NONE)
    lease.close()
    expect(file.read(0, 1)).toEqual([0x11])
  })

  it('lets a window find memory again that was given up', () => {
    const { dma } = makeManager({ mappingsMax: 1 })
    const file = makeFile(8 * PAGE)
    for (const page of [0, 1, 2, 3]) dma.map(regionOf(file, page * PAGE, { fileOffset: page * 2 * PAGE }))
    file.write(0, 0x21)
    const window = dma.openWindow(0, PAGE, DmaAccess.READ)
    window.locate(0, 4)
    const kept = window.bytes
    for (const page of [1, 2, 3]) void dma.read(page * PAGE, new Uint8Array(1))
    expect(kept.length).toBe(0)
    expect(window.locate(0, 4)).toBe(true)
    expect(window.bytes[window.position]).toBe(0x21)
  })
})
