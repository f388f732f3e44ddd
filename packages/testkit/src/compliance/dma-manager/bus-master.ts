import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { PAGE, useGuest } from './guest.js'

/** `DmaManager.setBusMaster`. */
export function describeBusMaster (fixture: DmaManagerFixture): void {
  describe('bus mastering', () => {
    const guest = useGuest(fixture)

    it('is off at first', async () => {
      const dma = fixture.create({ deadlineMs: 50 })
      expect(dma.isBusMaster).toBe(false)
      expect(await dma.read(0, new Uint8Array(1))).toBe(DmaFault.BUS_MASTER_OFF)
      await dma.close()
    })

    it('hides all memory while it is off', async () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      const lease = guest.now.dma.createLease()
      window.locate(0, 4)
      guest.now.dma.setBusMaster(false)
      expect(guest.now.dma.isBusMaster).toBe(false)
      expect([window.locate(0, 4), window.fault]).toEqual([false, DmaFault.BUS_MASTER_OFF])
      expect(await guest.now.dma.write(PAGE, Uint8Array.of(9))).toBe(DmaFault.BUS_MASTER_OFF)
      lease.open(DmaAccess.READ)
      expect(lease.append(PAGE, 4)).toBe(DmaFault.BUS_MASTER_OFF)
      lease.close()
      expect(guest.now.file.bytes[PAGE]).toBe(1)
    })

    it('hides it from those who are told, too', () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      window.locate(0, 4)
      for (let look = 0; look < 2; look++) void guest.now.dma.read(PAGE, new Uint8Array(1))
      const seen: unknown[] = []
      guest.now.dma.onUnmap(() => {
        seen.push(guest.now.dma.read(PAGE, new Uint8Array(1)), window.locate(0, 4), window.fault)
      })
      guest.now.dma.setBusMaster(false)
      expect(seen).toEqual([DmaFault.BUS_MASTER_OFF, false, DmaFault.BUS_MASTER_OFF])
    })

    it('brings all memory back, and leaves the regions alone', () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      window.locate(0, 4)
      guest.now.dma.setBusMaster(false)
      expect(guest.now.dma.regionCount).toBe(1)
      guest.now.dma.setBusMaster(true)
      expect(window.locate(0, 4)).toBe(true)
      expect(window.bytes[window.position]).toBe(1)
    })

    it('tells that the whole space went and came', () => {
      const seen: unknown[] = []
      guest.now.dma.onUnmap((iova, byteLength) => seen.push(['went', iova, byteLength]))
      guest.now.dma.onMap((iova, byteLength) => seen.push(['came', iova, byteLength]))
      guest.now.dma.setBusMaster(true)
      guest.now.dma.setBusMaster(false)
      guest.now.dma.setBusMaster(false)
      guest.now.dma.setBusMaster(true)
      expect(seen).toEqual([['went', 0, 2 ** 53], ['came', 0, 2 ** 53]])
    })

    it('lets regions come and go while it is off', async () => {
      guest.now.dma.setBusMaster(false)
      guest.now.map(1)
      guest.now.map(2)
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
      guest.now.dma.setBusMaster(true)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(1))).toBe(DmaFault.UNMAPPED)
      expect(await guest.now.dma.read(2 * PAGE, new Uint8Array(1))).toBe(DmaFault.NONE)
    })

    it('does not hide open leases from an unmap or from a drain', async () => {
      guest.now.map(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      guest.now.dma.setBusMaster(false)
      await guest.now.dma.unmap(PAGE, PAGE)
      expect(await lease.commit()).toBe(DmaFault.REVOKED)
      lease.close()
      await guest.now.dma.drain()
    })
  })
}
