import { DmaAccess, DmaFault, Errno } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import dma from '../src/index.js'
import { mappedDmaOptions } from '../src/options.js'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

describe('MappedDmaManager', () => {
  it('is contributed as `mapped`', () => {
    expect(dma.contributes.map(({ point, value }) => [point.id, value.name]))
      .toEqual([['@pcikit/core/dma-manager', 'mapped']])
  })

  it('waits a second before it cuts off, unless told otherwise', () => {
    expect(mappedDmaOptions.parse({})).toMatchObject({ unmapDeadlineMs: 1000, regionsMax: 65_535 })
    expect(() => mappedDmaOptions.parse({ unmapDeadlineMs: 0 })).toThrow()
    expect(() => mappedDmaOptions.parse({ deadline: 5 })).toThrow()
  })

  it('refuses one region too many: ENOSPC', () => {
    const { dma: manager } = makeManager({ regionsMax: 2 })
    const file = makeFile(PAGE)
    manager.map(regionOf(file, 0))
    manager.map(regionOf(file, PAGE))
    expect(() => manager.map(regionOf(file, 2 * PAGE))).toThrow(expect.objectContaining({ errno: Errno.ENOSPC }))
    expect(file.descriptorCount).toBe(2)
  })

  it('records what came and went, in order', async () => {
    const { dma: manager, recorder } = makeManager()
    const file = makeFile(2 * PAGE)
    manager.map(regionOf(file, 0, { fileOffset: PAGE }))
    manager.map({ iova: PAGE, byteLength: PAGE, access: DmaAccess.READ, fileOffset: 0 })
    await manager.unmap(0, 2 * PAGE)
    manager.setBusMaster(false)
    manager.setBusMaster(false)
    expect(recorder.events).toEqual([
      { type: 'bus-master', enabled: true },
      { type: 'map', iova: 0, byteLength: PAGE, access: DmaAccess.READ_WRITE, fileOffset: PAGE },
      { type: 'map', iova: PAGE, byteLength: PAGE, access: DmaAccess.READ },
      { type: 'unmap', iova: 0, byteLength: PAGE, durationMs: expect.any(Number) as number },
      { type: 'unmap', iova: PAGE, byteLength: PAGE, durationMs: expect.any(Number) as number },
      { type: 'bus-master', enabled: false }
    ])
  })

  it('empties the arrays over all memory when bus mastering goes off', () => {
    const { dma: manager } = makeManager()
    const file = makeFile(PAGE)
    manager.map(regionOf(file, 0))
    const window = manager.openWindow(0, PAGE, DmaAccess.READ)
    window.locate(0, 4)
    const { bytes } = window
    manager.setBusMaster(false)
    expect([bytes.length, file.mappingCount]).toEqual([0, 0])
  })

  it('works with 65,535 regions of a page, mapped in any order', async () => {
    const { dma: manager } = makeManager({ mappingsMax: 1000 })
    const count = 65_535
    const file = makeFile(count * PAGE, { seal: true })
    for (let index = 0; index < count; index += 1) {
      const page = (index * 40_507) % count
      manager.map(regionOf(file, page * PAGE, { fileOffset: (count - 1 - page) * PAGE }))
    }
    const source = Uint8Array.from({ length: 300 * PAGE }, (_, index) => index * 7)
    const target = new Uint8Array(300 * PAGE)
    expect(manager.write(1000 * PAGE + 50, source)).toBe(DmaFault.NONE)
    expect(manager.read(1000 * PAGE + 50, target)).toBe(DmaFault.NONE)
    expect(Buffer.compare(source, target)).toBe(0)
    const lease = manager.createLease()
    lease.open(DmaAccess.READ)
    expect(lease.append(20_000 * PAGE, 500 * PAGE)).toBe(DmaFault.NONE)
    expect([lease.segmentCount, lease.byteLength]).toEqual([500, 500 * PAGE])
    lease.close()
    expect(await manager.unmap(0, 2 ** 28)).toBe(count)
    expect([manager.regionCount, file.mappingCount, file.descriptorCount]).toEqual([0, 0, 1])
  })
})
