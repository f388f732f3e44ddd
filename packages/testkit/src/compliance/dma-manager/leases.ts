import { AssertionError, DmaAccess, DmaFault } from '@pcikit/core'
import type { SegmentList } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { PAGE, useGuest } from './guest.js'

/** `DmaLease`. */
export function describeLeases (fixture: DmaManagerFixture): void {
  describe('leases', () => {
    const guest = useGuest(fixture)

    it('give the memory of a range', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      expect(lease.append(PAGE + 16, 100)).toBe(DmaFault.NONE)
      expect(await lease.fetch()).toBe(DmaFault.NONE)
      expect(lease.byteLength).toBe(100)
      expect(contents(lease)).toEqual(Array.from({ length: 100 }, () => 1))
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
    })

    it('let the client see what is written to the pieces', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE + 16, 2)
      lease.bytesAt(0)[lease.offsetAt(0)] = 0xc1
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      expect([...guest.now.file.bytes.subarray(PAGE + 15, PAGE + 18)]).toEqual([1, 0xc1, 1])
    })

    it('keep the order of their ranges', () => {
      guest.now.map(1)
      guest.now.map(7)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(7 * PAGE, 2)
      lease.append(PAGE, 3)
      lease.append(7 * PAGE + 512, 1)
      expect(contents(lease)).toEqual([7, 7, 1, 1, 1, 7])
      expect(lease.byteLength).toBe(6)
      lease.close()
    })

    it('span regions', () => {
      guest.now.map(1)
      guest.now.map(2, { fileOffset: 40 * PAGE })
      guest.now.map(3)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ_WRITE)
      expect(lease.append(2 * PAGE - 1, PAGE + 2)).toBe(DmaFault.NONE)
      expect(contents(lease)).toEqual([1, ...Array.from({ length: PAGE }, () => 40), 3])
      lease.close()
    })

    it('answer at once for memory that the client shares', () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ_WRITE)
      lease.append(PAGE, 8)
      expect(lease.fetch()).toBe(DmaFault.NONE)
      expect(lease.commit()).toBe(DmaFault.NONE)
      lease.close()
    })

    it('stay open without a range that faulted, and name the address', () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      expect(lease.append(PAGE + 4, PAGE)).toBe(DmaFault.UNMAPPED)
      expect([lease.isOpen, lease.byteLength, contents(lease).length]).toEqual([true, 4, 4])
      expect([lease.fault, lease.faultIova]).toEqual([DmaFault.UNMAPPED, 2 * PAGE])
      lease.close()
    })

    it('keep the first fault, and say so at the end', async () => {
      guest.now.map(1, { access: DmaAccess.READ })
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      expect(lease.append(PAGE, 4)).toBe(DmaFault.NOT_WRITABLE)
      expect(lease.append(9 * PAGE, 4)).toBe(DmaFault.UNMAPPED)
      expect(await lease.commit()).toBe(DmaFault.NOT_WRITABLE)
      expect([lease.fault, lease.faultIova]).toEqual([DmaFault.NOT_WRITABLE, PAGE])
      lease.close()
    })

    it('fault where addresses end, and for a region that may not be read', () => {
      guest.now.map(1, { access: DmaAccess.WRITE })
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      expect(lease.append(2 ** 53 - 1, 2)).toBe(DmaFault.OUT_OF_RANGE)
      expect(lease.append(PAGE, 1)).toBe(DmaFault.NOT_READABLE)
      lease.close()
    })

    it('start empty and without a fault each time they are opened', () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      lease.append(0, 4)
      lease.close()
      expect([lease.isOpen, lease.segmentCount, lease.byteLength]).toEqual([false, 0, 0])
      lease.open(DmaAccess.WRITE)
      expect([lease.access, lease.fault, lease.segmentCount]).toEqual([DmaAccess.WRITE, DmaFault.NONE, 0])
      lease.close()
    })

    it('throw when they are not opened and closed in turn', () => {
      const lease = guest.now.dma.createLease()
      expect(() => lease.close()).toThrow(AssertionError)
      expect(() => lease.append(0, 1)).toThrow(AssertionError)
      expect(() => lease.fetch()).toThrow(AssertionError)
      expect(() => lease.commit()).toThrow(AssertionError)
      lease.open(DmaAccess.READ)
      expect(() => lease.open(DmaAccess.READ)).toThrow(AssertionError)
      lease.close()
      expect(() => lease.close()).toThrow(AssertionError)
    })
  })
}

/** All pieces in a row. */
function contents (list: SegmentList): number[] {
  return Array.from({ length: list.segmentCount }, (_, index) => {
    const offset = list.offsetAt(index)
    return [...list.bytesAt(index).subarray(offset, offset + list.lengthAt(index))]
  }).flat()
}
