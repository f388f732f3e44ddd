import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaSpace } from '@pcikit/core'
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

  it('is told of its revocation when nobody else works on the rest of it', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    for (const page of [0, 1]) dma.map(regionOf(makeFile(PAGE), page * PAGE))
    const [lease, other] = [openLease(dma, [0, PAGE]), openLease(dma, [PAGE])]
    await dma.unmap(0, PAGE)
    expect([lease.fault, lease.told]).toEqual([DmaFault.REVOKED, 0])
    expect([other.commit(), other.bytesAt(0).length]).toEqual([DmaFault.NONE, PAGE])
    other.close()
    expect([lease.told, other.told, lease.bytesAt(1).length]).toEqual([1, 0, 0])
    expect(dma.write(PAGE, Uint8Array.of(1))).toBe(DmaFault.NONE)
    expect(await dma.unmap(PAGE, PAGE)).toBe(1)
    lease.close()
    expect(lease.told).toBe(1)
  })

  it('is told at once where the others that work on the rest were revoked as well', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    for (const page of [0, 1]) dma.map(regionOf(makeFile(PAGE), page * PAGE))
    const leases = [openLease(dma, [0, PAGE]), openLease(dma, [PAGE, 0])]
    await dma.unmap(0, PAGE)
    expect(leases.map(({ told }) => told)).toEqual([1, 1])
    expect(await dma.unmap(PAGE, PAGE)).toBe(1)
    for (const lease of leases) lease.close()
  })

  it('is told nothing after it was closed, nor in its next life', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    for (const page of [0, 1]) dma.map(regionOf(makeFile(PAGE), page * PAGE))
    const [lease, other] = [openLease(dma, [0, PAGE]), openLease(dma, [PAGE])]
    await dma.unmap(0, PAGE)
    lease.close()
    lease.open(DmaAccess.READ)
    lease.append(PAGE, 16)
    other.close()
    expect([lease.told, lease.commit()]).toEqual([0, DmaFault.NONE])
    lease.close()
  })

  it('is not told while it lost a part of a file only: the rest can be reached', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    const file = makeFile(2 * PAGE, { seal: false })
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    const lease = openLease(dma, [0, PAGE])
    file.truncate(PAGE)
    lease.bytesAt(0).fill(1, lease.offsetAt(0), 2 * PAGE)
    expect([lease.commit(), lease.told]).toEqual([DmaFault.PAST_END_OF_FILE, 0])
    lease.close()
  })

  it('is told that what it has to send has nowhere to go, and not where it only asked', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 1 })
    dma.setPort({ transferBytesMax: PAGE, read: async () => undefined, write: async () => undefined })
    dma.map({ iova: 0, byteLength: PAGE, access: DmaAccess.READ_WRITE, fileOffset: 0 })
    const [sends, asks] = [openLease(dma, [0], DmaAccess.WRITE), openLease(dma, [0], DmaAccess.READ)]
    expect(await asks.fetch()).toBe(DmaFault.NONE)
    await dma.unmap(0, PAGE)
    expect([sends.told, sends.fault, asks.told, asks.commit()]).toEqual([1, DmaFault.REVOKED, 0, DmaFault.NONE])
    sends.close()
    asks.close()
  })

  it('cannot hold up an unmap by what it does when it is told', async () => {
    const { dma, logger } = makeManager({ unmapDeadlineMs: 1 })
    dma.map(regionOf(makeFile(PAGE), 0))
    const [lease, other] = [openLease(dma, [0]), openLease(dma, [0])]
    lease.onRevoke = () => {
      throw new Error('a bad device')
    }
    expect(await dma.unmap(0, PAGE)).toBe(1)
    const complaints = logger.sentences.filter(sentence => sentence.startsWith('A device failed'))
    expect([other.told, complaints.length]).toEqual([1, 1])
    lease.close()
    other.close()
  })
})

/** An open lease over pages, which counts how often it is told that it was revoked. */
function openLease (dma: DmaSpace, iovas: readonly number[], access: DmaAccess = DmaAccess.READ_WRITE) {
  const lease = Object.assign(dma.createLease(), { told: 0 })
  lease.onRevoke = () => lease.told++
  lease.open(access)
  for (const iova of iovas) lease.append(iova, PAGE)
  return lease
}
