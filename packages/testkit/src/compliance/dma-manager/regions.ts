import { DmaAccess, DmaFault, Errno } from '@pcikit/core'
import { describeDescriptor } from '@pcikit/native'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { errnoOf, PAGE, useGuest } from './guest.js'

/** `DmaManager.map`, `DmaSpace.read` and `DmaSpace.write`. */
export function describeRegions (fixture: DmaManagerFixture): void {
  describe('regions', () => {
    const guest = useGuest(fixture)

    it('reads what the client wrote', async () => {
      guest.now.map(1)
      guest.now.file.bytes[PAGE + 5] = 0xa5
      const target = new Uint8Array(8)
      expect(await guest.now.dma.read(PAGE, target)).toBe(DmaFault.NONE)
      expect([...target]).toEqual([1, 1, 1, 1, 1, 0xa5, 1, 1])
    })

    it('writes where the client reads, and nowhere else', async () => {
      guest.now.map(1)
      expect(await guest.now.dma.write(PAGE + 1, Uint8Array.of(7, 8))).toBe(DmaFault.NONE)
      expect([...guest.now.file.bytes.subarray(PAGE, PAGE + 4)]).toEqual([1, 7, 8, 1])
      expect(guest.now.file.bytes[PAGE - 1]).toBe(0)
    })

    it('starts at the offset in the file', async () => {
      guest.now.map(1, { fileOffset: 9 * PAGE })
      const target = new Uint8Array(1)
      await guest.now.dma.read(PAGE, target)
      expect(target[0]).toBe(9)
    })

    it('reads and writes across regions', async () => {
      guest.now.map(1, { fileOffset: 9 * PAGE })
      guest.now.map(2, { fileOffset: 3 * PAGE })
      const target = new Uint8Array(4)
      expect(await guest.now.dma.read(2 * PAGE - 2, target)).toBe(DmaFault.NONE)
      expect([...target]).toEqual([9, 9, 3, 3])
      expect(await guest.now.dma.write(2 * PAGE - 1, Uint8Array.of(0xaa, 0xbb))).toBe(DmaFault.NONE)
      expect(guest.now.file.bytes[10 * PAGE - 1]).toBe(0xaa)
      expect(guest.now.file.bytes[3 * PAGE]).toBe(0xbb)
    })

    it('answers at once for memory that the client shares', () => {
      guest.now.map(1)
      expect(guest.now.dma.read(PAGE, new Uint8Array(4))).toBe(DmaFault.NONE)
      expect(guest.now.dma.write(PAGE, new Uint8Array(4))).toBe(DmaFault.NONE)
    })

    it('copies nothing when a part of the range is not mapped', async () => {
      guest.now.map(1)
      expect(await guest.now.dma.write(2 * PAGE - 2, new Uint8Array(4))).toBe(DmaFault.UNMAPPED)
      expect(guest.now.file.bytes[2 * PAGE - 1]).toBe(1)
    })

    it('faults where nothing is mapped and where addresses end', async () => {
      expect(await guest.now.dma.read(0, new Uint8Array(1))).toBe(DmaFault.UNMAPPED)
      expect(await guest.now.dma.read(2 ** 53 - 1, new Uint8Array(2))).toBe(DmaFault.OUT_OF_RANGE)
      expect(await guest.now.dma.read(2 ** 64, new Uint8Array(1))).toBe(DmaFault.OUT_OF_RANGE)
    })

    it('does not write read-only memory', async () => {
      guest.now.map(1, { access: DmaAccess.READ })
      expect(await guest.now.dma.write(PAGE, Uint8Array.of(9))).toBe(DmaFault.NOT_WRITABLE)
      expect(guest.now.file.bytes[PAGE]).toBe(1)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(1))).toBe(DmaFault.NONE)
    })

    it('does not read write-only memory', async () => {
      guest.now.map(1, { access: DmaAccess.WRITE })
      expect(await guest.now.dma.read(PAGE, new Uint8Array(1))).toBe(DmaFault.NOT_READABLE)
      expect(await guest.now.dma.write(PAGE, Uint8Array.of(9))).toBe(DmaFault.NONE)
    })

    it('maps a file shorter than its region, and faults past its end', async () => {
      guest.now.map(62, { byteLength: 4 * PAGE })
      expect(await guest.now.dma.read(63 * PAGE, new Uint8Array(PAGE))).toBe(DmaFault.NONE)
      expect(await guest.now.dma.read(64 * PAGE - 1, new Uint8Array(2))).toBe(DmaFault.PAST_END_OF_FILE)
      expect(await guest.now.dma.write(65 * PAGE, new Uint8Array(1))).toBe(DmaFault.PAST_END_OF_FILE)
    })

    it('reaches the last page below 2^53', async () => {
      guest.now.map(5, { iova: 2 ** 53 - PAGE })
      const target = new Uint8Array(PAGE)
      expect(await guest.now.dma.read(2 ** 53 - PAGE, target)).toBe(DmaFault.NONE)
      expect(target[PAGE - 1]).toBe(5)
    })

    it('counts its regions', () => {
      guest.now.map(1)
      guest.now.map(3)
      expect(guest.now.dma.regionCount).toBe(2)
    })

    it('refuses a region that overlaps another: EEXIST', async () => {
      guest.now.map(4, { byteLength: 2 * PAGE })
      expect(await errnoOf(() => guest.now.map(4))).toBe(Errno.EEXIST)
      expect(await errnoOf(() => guest.now.map(5))).toBe(Errno.EEXIST)
      expect(await errnoOf(() => guest.now.map(3, { byteLength: 2 * PAGE }))).toBe(Errno.EEXIST)
      expect(await errnoOf(() => guest.now.map(0, { byteLength: 16 * PAGE }))).toBe(Errno.EEXIST)
      expect(guest.now.dma.regionCount).toBe(1)
    })

    it('refuses a range that is empty, not of whole pages, or beyond 2^53: EINVAL', async () => {
      expect(await errnoOf(() => guest.now.map(1, { byteLength: 0 }))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.map(1, { byteLength: PAGE + 1 }))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.map(1, { iova: PAGE + 8 }))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.map(1, { fileOffset: 8 }))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.map(1, { iova: 2 ** 53 }))).toBe(Errno.EINVAL)
      expect(await errnoOf(() => guest.now.map(1, { iova: 2 ** 53 - PAGE, byteLength: 2 * PAGE }))).toBe(Errno.EINVAL)
      expect(guest.now.dma.regionCount).toBe(0)
    })

    it('closes the descriptor of a region that it refuses', () => {
      guest.now.map(1)
      const request = guest.now.region(1)
      expect(() => guest.now.dma.map(request)).toThrow()
      expect(() => describeDescriptor(request.descriptor!)).toThrow('EBADF')
    })

    it('tells of a region that came, which can be reached by then', () => {
      const seen: unknown[] = []
      guest.now.dma.onMap((iova, byteLength) => {
        seen.push([iova, byteLength, guest.now.dma.read(iova, new Uint8Array(1))])
      })
      guest.now.map(3, { byteLength: 2 * PAGE })
      expect(seen).toEqual([[3 * PAGE, 2 * PAGE, DmaFault.NONE]])
    })

    it('tells nobody who ended their subscription', () => {
      let calls = 0
      const subscription = guest.now.dma.onMap(() => {
        calls += 1
      })
      guest.now.map(1)
      subscription.close()
      subscription.close()
      guest.now.map(2)
      expect(calls).toBe(1)
    })
  })
}
