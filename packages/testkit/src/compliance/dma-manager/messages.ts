import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaManagerFixture } from '../dma-manager.js'
import { PAGE, useGuest } from './guest.js'
import { SlowClient } from './slow-client.js'

/** Memory that the client does not share: `DmaManager.setPort`. */
export function describeMessages (fixture: DmaManagerFixture): void {
  describe('memory without a descriptor', () => {
    const guest = useGuest(fixture)

    it('is read and written by message', async () => {
      const client = new SlowClient()
      client.memory.fill(0x77, PAGE, 2 * PAGE)
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const target = new Uint8Array(3)
      expect(await guest.now.dma.read(PAGE + 8, target)).toBe(DmaFault.NONE)
      expect([...target]).toEqual([0x77, 0x77, 0x77])
      expect(await guest.now.dma.write(PAGE + 1, Uint8Array.of(1, 2))).toBe(DmaFault.NONE)
      expect([...client.memory.subarray(PAGE, PAGE + 4)]).toEqual([0x77, 1, 2, 0x77])
    })

    it('is asked for in requests that the client can answer', async () => {
      const client = new SlowClient(1024)
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(2500))).toBe(DmaFault.NONE)
      expect(client.requests).toEqual([
        ['read', PAGE, 1024],
        ['read', PAGE + 1024, 1024],
        ['read', PAGE + 2048, 452]
      ])
    })

    it('is fetched into a lease, and committed from it', async () => {
      const client = new SlowClient()
      client.memory.fill(5, PAGE, 2 * PAGE)
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ_WRITE)
      expect(lease.append(PAGE + 100, 4)).toBe(DmaFault.NONE)
      expect(client.requests).toEqual([])
      expect(await lease.fetch()).toBe(DmaFault.NONE)
      const bytes = lease.bytesAt(0)
      expect(bytes[lease.offsetAt(0) + 3]).toBe(5)
      bytes[lease.offsetAt(0)] = 6
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      expect([...client.memory.subarray(PAGE + 99, PAGE + 102)]).toEqual([5, 6, 5])
    })

    it('is not written by a lease that only reads', async () => {
      const client = new SlowClient()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      await lease.fetch()
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      expect(client.requests).toEqual([['read', PAGE, 4]])
    })

    it('goes together with shared memory in one transfer', async () => {
      const client = new SlowClient()
      guest.now.dma.setPort(client)
      guest.now.map(1)
      guest.now.mapUnshared(2)
      guest.now.map(3)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      expect(lease.append(2 * PAGE - 1, PAGE + 2)).toBe(DmaFault.NONE)
      expect([lease.byteLength, lease.segmentCount]).toEqual([PAGE + 2, 3])
      const ends = [0, 1, 2].map(index => [lease.bytesAt(index), lease.offsetAt(index)] as const)
      for (const [bytes, offset] of ends) bytes[offset] = 0x42
      expect(await lease.commit()).toBe(DmaFault.NONE)
      lease.close()
      expect([guest.now.file.bytes[2 * PAGE - 1], client.memory[2 * PAGE], guest.now.file.bytes[3 * PAGE]])
        .toEqual([0x42, 0x42, 0x42])
    })

    it('is copied together with shared memory', async () => {
      const client = new SlowClient()
      client.memory.fill(9, 2 * PAGE, 3 * PAGE)
      guest.now.dma.setPort(client)
      guest.now.map(1)
      guest.now.mapUnshared(2)
      const target = new Uint8Array(4)
      expect(await guest.now.dma.read(2 * PAGE - 2, target)).toBe(DmaFault.NONE)
      expect([...target]).toEqual([1, 1, 9, 9])
    })

    it('is not found by a window, which has no fault', () => {
      guest.now.dma.setPort(new SlowClient())
      guest.now.mapUnshared(1)
      const window = guest.now.dma.openWindow(PAGE, PAGE, DmaAccess.READ)
      expect([window.locate(0, 4), window.fault]).toEqual([false, DmaFault.NONE])
    })

    it('faults when the client refuses', async () => {
      const client = new SlowClient()
      client.refuses = true
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      expect(await lease.fetch()).toBe(DmaFault.PEER_FAILED)
      expect([lease.fault, lease.faultIova]).toEqual([DmaFault.PEER_FAILED, PAGE])
      lease.close()
      expect(await guest.now.dma.write(PAGE, new Uint8Array(4))).toBe(DmaFault.PEER_FAILED)
    })

    it('faults when there is no client to ask', async () => {
      guest.now.mapUnshared(1)
      expect(await guest.now.dma.read(PAGE, new Uint8Array(4))).toBe(DmaFault.PEER_FAILED)
    })

    it('is subject to the access of its region', async () => {
      const client = new SlowClient()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1, { access: DmaAccess.READ })
      expect(await guest.now.dma.write(PAGE, new Uint8Array(4))).toBe(DmaFault.NOT_WRITABLE)
      expect(client.requests).toEqual([])
    })

    it('is not unmapped before the requests about it are answered', async () => {
      const client = new SlowClient()
      client.hold()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const read = guest.now.dma.read(PAGE, new Uint8Array(4))
      const order: string[] = []
      const done = guest.now.dma.unmap(PAGE, PAGE).then(() => order.push('unmapped'))
      await new Promise(resolve => setImmediate(resolve))
      order.push('answered')
      client.answer()
      expect(await read).toBe(DmaFault.NONE)
      await done
      expect(order).toEqual(['answered', 'unmapped'])
    })

    it('does not hold up an unmap past the deadline; a late answer is void', async () => {
      const client = new SlowClient()
      client.hold()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.READ)
      lease.append(PAGE, 4)
      const fetched = lease.fetch()
      expect(await guest.now.dma.unmap(PAGE, PAGE)).toBe(1)
      client.answer()
      expect(await fetched).toBe(DmaFault.REVOKED)
      expect(await lease.commit()).toBe(DmaFault.REVOKED)
      lease.close()
    })

    it('is not asked for once it is unmapped', async () => {
      const client = new SlowClient()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE, 4)
      await guest.now.dma.unmap(PAGE, PAGE)
      guest.now.mapUnshared(1)
      expect(await lease.commit()).toBe(DmaFault.REVOKED)
      lease.close()
      expect(client.requests).toEqual([])
    })

    it('is not asked for while bus mastering is off', async () => {
      const client = new SlowClient()
      guest.now.dma.setPort(client)
      guest.now.mapUnshared(1)
      const lease = guest.now.dma.createLease()
      lease.open(DmaAccess.WRITE)
      lease.append(PAGE, 4)
      guest.now.dma.setBusMaster(false)
      expect(await lease.commit()).toBe(DmaFault.BUS_MASTER_OFF)
      lease.close()
      expect(client.requests).toEqual([])
    })
  })
}
