import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

const GIB = 2 ** 30

describe('MappedPages', () => {
  it('reach all of a region of 512 GiB', () => {
    const { dma } = makeManager()
    const file = makeFile(512 * GIB)
    dma.map(regionOf(file, 0, { byteLength: 512 * GIB }))
    expect(dma.write(512 * GIB - 2, Uint8Array.of(0x51, 0x52))).toBe(DmaFault.NONE)
    expect(dma.write(5 * GIB + 7, Uint8Array.of(0x53))).toBe(DmaFault.NONE)
    expect(file.read(512 * GIB - 2, 2)).toEqual([0x51, 0x52])
    expect(file.read(5 * GIB + 7, 1)).toEqual([0x53])
    const window = dma.openWindow(100 * GIB, 64, DmaAccess.WRITE)
    expect(window.locate(8, 4)).toBe(true)
    window.view.setUint32(window.position, 0x0403_0201, true)
    expect(file.read(100 * GIB + 8, 4)).toEqual([1, 2, 3, 4])
  })

  it('show no piece that is in two arrays', () => {
    const { dma } = makeManager()
    const file = makeFile(3 * GIB)
    dma.map(regionOf(file, 0, { byteLength: 3 * GIB }))
    file.write(GIB - 1, 0x61, 0x62)
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    expect(lease.append(GIB - 1, 2)).toBe(DmaFault.NONE)
    expect([lease.segmentCount, lease.lengthAt(0), lease.lengthAt(1)]).toEqual([2, 1, 1])
    expect(lease.bytesAt(0)[lease.offsetAt(0)]).toBe(0x61)
    expect(lease.bytesAt(1)[lease.offsetAt(1)]).toBe(0x62)
    lease.close()
    const window = dma.openWindow(GIB - PAGE, 2 * PAGE, DmaAccess.READ)
    expect([window.locate(PAGE - 2, 4), window.fault]).toEqual([false, DmaFault.NONE])
    expect([window.locate(PAGE, 4), window.bytes[window.position]]).toEqual([true, 0x62])
  })

  it('start at the offset in the file', () => {
    const { dma } = makeManager()
    const file = makeFile(3 * GIB)
    dma.map(regionOf(file, 0, { byteLength: 2 * GIB, fileOffset: PAGE }))
    void dma.write(GIB, Uint8Array.of(0x71))
    expect(file.read(GIB + PAGE, 1)).toEqual([0x71])
  })

  it('are mapped for reading only where the region is', () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    dma.map(regionOf(file, 0, { access: DmaAccess.READ }))
    const window = dma.openWindow(0, 4, DmaAccess.READ)
    window.locate(0, 4)
    window.bytes[0] = 0xff // What no device may do. It ends neither the process nor up in the file.
    expect(file.read(0, 1)).toEqual([0])
  })
})
