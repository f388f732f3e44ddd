import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { PAGE, useGuest } from './guest.js'

/** `DmaWindow`. */
export function describeWindows (fixture: DmaManagerFixture): void {
  describe('windows', () => {
    const guest = useGuest(fixture)

    it('find the memory that is there', () => {
      guest.now.map(1)
      guest.now.file.view.setUint32(PAGE + 0x104, 0x1234_5678, true)
      const window = guest.now.dma.openWindow(PAGE + 0x100, 64, DmaAccess.READ)
      expect(window.locate(4, 4)).toBe(true)
      expect(window.view.getUint32(window.position, true)).toBe(0x1234_5678)
      expect(window.bytes[window.position]).toBe(0x78)
      expect(Atomics.load(window.words, window.position >>> 2)).toBe(0x1234_5678)
      expect([window.run, window.fault]).toEqual([60, DmaFault.NONE])
      window.close()
    })

    it('let the client see what is written', () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ_WRITE)
      window.locate(8, 4)
      Atomics.store(window.words, window.position >>> 2, 0xdead_beef)
      expect(guest.now.file.view.getUint32(PAGE + 8, true)).toBe(0xdead_beef)
      window.close()
    })

    it('span regions, and tell how far each piece goes', () => {
      guest.now.map(1)
      guest.now.map(2, { fileOffset: 30 * PAGE })
      const window = guest.now.dma.openWindow(PAGE + 1024, PAGE, DmaAccess.READ)
      expect(window.locate(0, 64)).toBe(true)
      expect([window.bytes[window.position], window.run]).toEqual([1, PAGE - 1024])
      expect(window.locate(PAGE - 1024, 64)).toBe(true)
      expect([window.bytes[window.position], window.run]).toEqual([30, 1024])
      expect(window.locate(PAGE - 1088, 64)).toBe(true)
      expect(window.bytes[window.position]).toBe(1)
      window.close()
    })

    it('leave what lies in two pieces to read and write', async () => {
      guest.now.map(1)
      guest.now.map(2, { fileOffset: 30 * PAGE })
      const window = guest.now.dma.openWindow(PAGE, 2 * PAGE, DmaAccess.READ)
      expect(window.locate(PAGE - 2, 4)).toBe(false)
      expect(window.fault).toBe(DmaFault.NONE)
      const target = new Uint8Array(4)
      expect(await guest.now.dma.read(window.iova + PAGE - 2, target)).toBe(DmaFault.NONE)
      expect([...target]).toEqual([1, 1, 30, 30])
      window.close()
    })

    it('say why nothing can be found', () => {
      guest.now.map(1, { access: DmaAccess.READ })
      guest.now.map(3, { access: DmaAccess.WRITE })
      const window = guest.now.dma.openWindow(PAGE, 3 * PAGE, DmaAccess.WRITE)
      const reader = guest.now.dma.openWindow(3 * PAGE, PAGE, DmaAccess.READ)
      expect([window.locate(0, 4), window.fault]).toEqual([false, DmaFault.NOT_WRITABLE])
      expect([window.locate(PAGE, 4), window.fault]).toEqual([false, DmaFault.UNMAPPED])
      expect([reader.locate(0, 4), reader.fault]).toEqual([false, DmaFault.NOT_READABLE])
      expect([window.locate(2 * PAGE, 4), window.fault]).toEqual([true, DmaFault.NONE])
      expect([window.locate(2 * PAGE - 2, 4), window.fault]).toEqual([false, DmaFault.UNMAPPED])
    })

    it('fault past the end of the file and of all addresses', () => {
      guest.now.map(63, { byteLength: 2 * PAGE })
      const window = guest.now.dma.openWindow(63 * PAGE, 2 * PAGE, DmaAccess.READ)
      const beyond = guest.now.dma.openWindow(2 ** 53, PAGE, DmaAccess.READ)
      expect([window.locate(PAGE - 4, 4), window.run]).toEqual([true, 4])
      expect([window.locate(PAGE, 4), window.fault]).toEqual([false, DmaFault.PAST_END_OF_FILE])
      expect([beyond.locate(0, 4), beyond.fault]).toEqual([false, DmaFault.OUT_OF_RANGE])
    })

    it('lose memory with an unmap, and find what is mapped there next', async () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ_WRITE)
      window.locate(0, 4)
      await guest.now.dma.unmap(PAGE, PAGE)
      expect([window.locate(0, 4), window.fault]).toEqual([false, DmaFault.UNMAPPED])
      guest.now.map(1, { fileOffset: 20 * PAGE })
      expect(window.locate(0, 4)).toBe(true)
      expect(window.bytes[window.position]).toBe(20)
    })

    it('see that memory moved without looking in between', async () => {
      guest.now.map(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ_WRITE)
      window.locate(0, 4)
      await guest.now.dma.unmap(PAGE, PAGE)
      guest.now.map(1, { fileOffset: 20 * PAGE })
      window.locate(0, 4)
      window.bytes[window.position] = 0xee
      expect([guest.now.file.bytes[PAGE], guest.now.file.bytes[20 * PAGE]]).toEqual([1, 0xee])
    })

    it('do not hold up an unmap', async () => {
      guest.now.map(1)
      guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ_WRITE).locate(0, 4)
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
    })
  })
}
