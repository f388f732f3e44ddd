import { DmaAccess, DmaFault, Errno } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { errnoOf, PAGE, useGuest } from './guest.js'

/** `DmaManager.unmap`, `unmapAll`, `DmaSpace.drain` and what they do to leases. */
export function describeRemoval (fixture: DmaManagerFixture): void {
  describe('removal', () => {
    const guest = useGuest(fixture)

    it('takes every region inside the range, none too', async () => {
      guest.now.map(1)
      guest.now.map(4)
      guest.now.map(5)
      expect(await guest.now.dma.unmap(2 * PAGE, 16 * PAGE)).toBe(2)
      expect(await guest.now.dma.unmap(2 * PAGE, 16 * PAGE)).toBe(0)
      expect(guest.now.dma.regionCount).toBe(1)
    })

    it('takes ranges that end beyond all regions', async () => {
      guest.now.map(1)
      expect(await guest.now.dma.unmap(0, 2 ** 57)).toBe(1)
    })

    it('refuses a range that cuts a region in two, and changes nothing: EINVAL', async () => {
      guest.now.map(1)
      guest.now.map(2, { byteLength: 4 * PAGE })
      guest.now.map(6)
      expect(await errnoOf(() => guest.now.dma.unmap(PAGE, 2 * PAGE))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.dma.unmap(3 * PAGE, 4 * PAGE))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.dma.unmap(3 * PAGE, PAGE))).toBe(Errno.EINVAL)
      expect(guest.now.dma.regionCount).toBe(3)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(6 * PAGE))).toBe(DmaFault.NONE)
    })

    it('takes all', async () => {
      guest.now.map(1)
      guest.now.map(4)
      expect(await guest.now.dma.unmapAll()).toBe(2)
      expect(guest.now.dma.regionCount).toBe(0)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(1))).toBe(DmaFault.UNMAPPED)
    })

    it('faults and tells before it returns, not when it is done', async () => {
      guest.now.map(1)
      // What was found a moment ago is known to whoever looks again.
      for (let look = 0; look < 2; look++) await guest.now.dma.read(PAGE, new Uint8Array(1))
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      window.locate(0, 4)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      const seen: unknown[] = []
      guest.now.dma.onUnmap((iova, byteLength) => {
        seen.push([iova, byteLength, guest.now.dma.read(PAGE, new Uint8Array(1)), window.locate(0, 4)])
      })
      const done = guest.now.dma.unmap(PAGE, PAGE)
      expect(seen).toEqual([[PAGE, PAGE, DmaFault.UNMAPPED, false]])
      lease.close()
      await done
    })

    it('is not held up by a listener that throws', async () => {
      guest.now.map(1)
      const seen: number[] = []
      guest.now.dma.onUnmap(() => {
        throw new Error('a bad device')
      })
      guest.now.dma.onUnmap(iova => seen.push(iova))
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
      expect(seen).toEqual([PAGE])
    })

    it('empties the arrays that a device kept', async () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      window.locate(0, 4)
      const { bytes, words } = window
      await guest.now.dma.unmap(PAGE, PAGE)
      expect([bytes.length, words.length]).toEqual([0, 0])
    })

    it('waits for the leases that are open on the memory', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      const order: string[] = []
      const done = guest.now.dma.unmap(PAGE, PAGE).then(() => order.push('unmapped'))
      await new Promise(resolve => setImmediate(resolve))
      order.push('closed')
      expect(lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      await done
      expect(order).toEqual(['closed', 'unmapped'])
    })

    it('revokes leases that are open past the deadline, and those alone', async () => {
      guest.now.map(1)
      guest.now.map(2)
      const lease = guest.now.dma.createLease()
      const other = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE, 4)
      other.open(DmaAccess.WRITE)
      other.append(2 * PAGE, 4)
      await guest.now.dma.unmap(PAGE, PAGE)
      expect([lease.isOpen, lease.fault, lease.faultIova]).toEqual([true, DmaFault.REVOKED, PAGE])
      expect(await lease.commit()).toBe(DmaFault.REVOKED)
      expect(await other.commit()).toBe(DmaFault.NONE)
      lease.close()
      other.close()
    })

    it('tells a lease once that all of its memory was revoked, before the unmap is done', async () => {
      guest.now.map(1)
      guest.now.map(2)
      const lease = guest.now.dma.createLease()
      const other = guest.now.dma.createLease()
      const told: unknown[] = []
      lease.onRevoke = () => told.push([lease.isOpen, lease.fault])
      other.onRevoke = () => told.push('other')
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE, 4)
      lease.append(2 * PAGE, 4)
      other.open(DmaAccess.WRITE)
      other.append(2 * PAGE, 4)
      await guest.now.dma.unmap(PAGE, PAGE)
      // The rest can still be reached: others work on it.
      expect([lease.fault, told]).toEqual([DmaFault.REVOKED, []])
      other.close()
      await guest.now.dma.unmap(2 * PAGE, PAGE)
      expect(told).toEqual([[true, DmaFault.REVOKED]])
      await guest.now.dma.drain()
      lease.close()
      expect(told.length).toBe(1)
    })

    it('tells a lease of each revocation, and of none where it is closed in time', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      let told = 0
      lease.onRevoke = () => told++
      for (let round = 1; round <= 2; round++) {
        lease.open(DmaAccess.READ)
        lease.append(PAGE, 4)
        await guest.now.dma.drain()
        expect(told).toBe(round)
        lease.close()
      }
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      const done = guest.now.dma.unmap(PAGE, PAGE)
      lease.close()
      await done
      expect(told).toBe(2)
    })

    it('does not wait for leases on other memory', async () => {
      guest.now.map(1)
      guest.now.map(2)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(2 * PAGE, 4)
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
      expect(lease.fault).toBe(DmaFault.NONE)
      lease.close()
    })

    it('lets other memory be mapped at the address while the old is still held', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE, 4)
      const done = guest.now.dma.unmap(PAGE, PAGE)
      guest.now.map(1, { fileOffset: 11 * PAGE })
      expect(await guest.now.dma.write(PAGE, Uint8Array.of(0xee))).toBe(DmaFault.NONE)
      expect([guest.now.file.bytes[PAGE], guest.now.file.bytes[11 * PAGE]]).toEqual([1, 0xee])
      lease.close()
      expect(await done).toBe(1)
      expect(guest.now.dma.regionCount).toBe(1)
    })

    it('drains at once when no lease is open', async () => {
      guest.now.map(1)
      await guest.now.dma.drain()
      expect(guest.now.dma.regionCount).toBe(1)
    })

    it('drains by waiting for leases', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      const order: string[] = []
      const done = guest.now.dma.drain().then(() => order.push('drained'))
      await new Promise(resolve => setImmediate(resolve))
      order.push('closed')
      lease.close()
      await done
      expect(order).toEqual(['closed', 'drained'])
    })

    it('drains by revoking leases past the deadline; the memory can be used again', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      await guest.now.dma.drain()
      expect(await lease.commit()).toBe(DmaFault.REVOKED)
      lease.close()
      lease.open(DmaAccess.WRITE)
      expect(lease.append(PAGE, 4)).toBe(DmaFault.NONE)
      lease.bytesAt(0)[lease.offsetAt(0)] = 0xdd
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      expect(guest.now.file.bytes[PAGE]).toBe(0xdd)
    })

    it('closes with everything gone', async () => {
      guest.now.map(1)
      await guest.now.dma.close()
      expect(guest.now.dma.regionCount).toBe(0)
      expect(() => guest.now.map(1)).toThrow()
    })
  })
}
