import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaPeek } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { PAGE, useGuest } from './guest.js'

/** `DmaPeek`, of managers that have it. */
export function describePeeks (fixture: DmaManagerFixture): void {
  describe('peeks', () => {
    const guest = useGuest(fixture)
    let peek: DmaPeek

    beforeEach(({ skip }) => {
      const made = guest.now.dma.createPeek?.()
      skip(made === undefined, 'the manager has no peeks')
      peek = made!
    })

    /** Copies a range, after which it can be found. */
    const touch = (iova: number): unknown => guest.now.dma.read(iova, new Uint8Array(1))

    it('find memory wherever it is', async () => {
      guest.now.map(1)
      guest.now.map(5, { fileOffset: 30 * PAGE })
      await touch(PAGE)
      await touch(5 * PAGE)
      expect([peek.locate(PAGE + 8, 16, DmaAccess.READ), peek.view.getUint8(peek.position)]).toEqual([true, 1])
      expect([peek.locate(6 * PAGE - 1, 1, DmaAccess.READ), peek.view.getUint8(peek.position)]).toEqual([true, 30])
    })

    it('let the client see what is written', async () => {
      guest.now.map(1)
      await touch(PAGE)
      peek.locate(PAGE + 12, 4, DmaAccess.WRITE)
      peek.view.setUint32(peek.position, 0xdead_beef, true)
      expect(guest.now.file.view.getUint32(PAGE + 12, true)).toBe(0xdead_beef)
    })

    it('are bytes, too, through which data goes', async () => {
      guest.now.map(1)
      await touch(PAGE)
      peek.locate(PAGE + 16, 4, DmaAccess.READ_WRITE)
      peek.bytes.set([1, 2, 3, 4], peek.position)
      expect(guest.now.file.view.getUint32(PAGE + 16)).toBe(0x0102_0304)
      expect(peek.commit()).toBe(DmaFault.NONE)
    })

    it('find nothing that is in two pieces, or not shared', async () => {
      guest.now.map(1)
      guest.now.map(2, { fileOffset: 30 * PAGE })
      guest.now.mapUnshared(4)
      await touch(PAGE)
      await touch(2 * PAGE)
      expect(peek.locate(2 * PAGE - 1, 2, DmaAccess.READ)).toBe(false)
      expect(peek.locate(4 * PAGE, 1, DmaAccess.READ)).toBe(false)
    })

    it('find nothing that may not be reached in this way', async () => {
      guest.now.map(1, { access: DmaAccess.READ })
      await touch(PAGE)
      expect(peek.locate(PAGE, 1, DmaAccess.WRITE)).toBe(false)
      expect(peek.locate(2 ** 53, 1, DmaAccess.READ)).toBe(false)
      expect(peek.locate(0, 1, DmaAccess.READ)).toBe(false)
    })

    it('lose memory with an unmap, and find what is mapped there next', async () => {
      guest.now.map(1)
      await touch(PAGE)
      expect(peek.locate(PAGE, 1, DmaAccess.READ)).toBe(true)
      await guest.now.dma.unmap(PAGE, PAGE)
      expect(peek.locate(PAGE, 1, DmaAccess.READ)).toBe(false)
      guest.now.map(1, { fileOffset: 20 * PAGE })
      await touch(PAGE)
      expect([peek.locate(PAGE, 1, DmaAccess.READ), peek.view.getUint8(peek.position)]).toEqual([true, 20])
    })

    it('find nothing while bus mastering is off', async () => {
      guest.now.map(1)
      expect(await touch(PAGE)).toBe(DmaFault.NONE)
      guest.now.dma.setBusMaster(false)
      expect(peek.locate(PAGE, 1, DmaAccess.READ)).toBe(false)
    })

    it('do not hold up an unmap', async () => {
      guest.now.map(1)
      await touch(PAGE)
      expect(peek.locate(PAGE, 1, DmaAccess.READ)).toBe(true)
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
    })
  })
}
