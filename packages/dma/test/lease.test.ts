import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

describe('MappedLease', () => {
  it('joins ranges that follow each other in memory', () => {
    const { dma } = makeManager()
    dma.map(regionOf(makeFile(8 * PAGE), 0, { byteLength: 8 * PAGE }))
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    lease.append(PAGE, PAGE)
    lease.append(2 * PAGE, PAGE)
    lease.append(3 * PAGE, 16)
    lease.append(5 * PAGE, 16)
    expect([lease.segmentCount, lease.lengthAt(0), lease.offsetAt(0)]).toEqual([2, 2 * PAGE + 16, PAGE])
    lease.close()
  })

  it('is as it was after a range that faulted half way', () => {
    const { dma } = makeManager()
    dma.map(regionOf(makeFile(2 * PAGE), 0, { byteLength: 2 * PAGE }))
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    lease.append(0, PAGE)
    lease.append(PAGE, 2 * PAGE)
    expect([lease.segmentCount, lease.lengthAt(0), lease.byteLength]).toEqual([1, PAGE, PAGE])
    lease.append(PAGE, PAGE)
    expect([lease.segmentCount, lease.lengthAt(0), lease.fault]).toEqual([1, 2 * PAGE, DmaFault.UNMAPPED])
    lease.close()
  })

  it('does not hold memory of a range that faulted', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 60_000 })
    dma.map(regionOf(makeFile(PAGE), 0))
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    lease.append(0, 2 * PAGE)
    expect(await dma.unmap(0, PAGE)).toBe(1)
    lease.close()
  })

  it('takes an empty range', () => {
    const { dma } = makeManager()
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    expect(lease.append(0, 0)).toBe(DmaFault.NONE)
    expect(lease.segmentCount).toBe(0)
    lease.close()
  })

  it('reaches its memory while that is being unmapped', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 60_000 })
    const file = makeFile(PAGE)
    dma.map(regionOf(file, 0))
    const lease = dma.createLease()
    lease.open(DmaAccess.WRITE)
    lease.append(0, 2)
    const kept = lease.bytesAt(0)
    const done = dma.unmap(0, PAGE)
    kept[0] = 0x11
    lease.bytesAt(0)[1] = 0x22
    expect(lease.commit()).toBe(DmaFault.NONE)
    lease.close()
    await done
    expect(file.read(0, 2)).toEqual([0x11, 0x22])
    expect(kept.length).toBe(0)
  })

  it('is void, and its arrays are empty, once its memory was taken away', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    dma.map(regionOf(makeFile(PAGE), 0))
    const lease = dma.createLease()
    lease.open(DmaAccess.READ_WRITE)
    lease.append(0, 16)
    const kept = lease.bytesAt(0)
    await dma.unmap(0, PAGE)
    expect([kept.length, lease.bytesAt(0).length]).toEqual([0, 0])
    expect([lease.fetch(), lease.commit()]).toEqual([DmaFault.REVOKED, DmaFault.REVOKED])
    lease.close()
  })

  it('finishes a transfer that began before bus mastering went off', () => {
    const { dma } = makeManager()
    dma.map(regionOf(makeFile(PAGE), 0))
    const lease = dma.createLease()
    lease.open(DmaAccess.WRITE)
    lease.append(0, 16)
    dma.setBusMaster(false)
    expect(lease.commit()).toBe(DmaFault.NONE)
    lease.close()
  })

  it('has no piece that it did not say it has', () => {
    const { dma } = makeManager()
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    expect(() => lease.bytesAt(0)).toThrow('no such piece')
    expect(() => lease.offsetAt(-1)).toThrow('no such piece')
    expect(() => lease.lengthAt(0)).toThrow('no such piece')
    lease.close()
  })
})
