import { DmaAccess, RegionIndex } from '@pcikit/core'
import type { Transport } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportDevice } from './transport-device.js'

/** A client of the transport under test, as the suite drives it: over whatever the transport brings clients with. */
export interface TransportClient {
  readRegion(index: number, offset: number, count: number): Promise<Uint8Array>
  writeRegion(index: number, offset: number, data: Uint8Array): Promise<void>
  /** Offers memory, readable and writable, that the suite never touches. */
  map(iova: number, byteLength: number): Promise<void>
  unmap(iova: number, byteLength: number): Promise<void>
  /** Sets up vector 0 of MSI-X. Gives what tells how often it was signalled since it was last asked. */
  setVector(): Promise<() => number>
  reset(): Promise<void>
  /** Goes, without a word. Resolves when the client's end is closed. */
  disconnect(): Promise<void>
}

/** How the suite obtains a transport and its clients. */
export interface TransportFixture {
  /** A transport that was not told to listen, at an address where nothing is. */
  create(): Transport | Promise<Transport>
  /** Connects a client. Rejects where nobody listens, or the device has a client. */
  connect(transport: Transport): Promise<TransportClient>
}

/** Checks what `Transport` asks of all implementations: one device, one client at a time, an end without a trace. */
export function describeTransport (name: string, fixture: TransportFixture): void {
  describe(`${name} as Transport`, () => {
    let transport: Transport
    let device: TransportDevice

    beforeEach(async () => {
      transport = await fixture.create()
      device = new TransportDevice()
    })

    afterEach(async () => {
      await transport.close()
    })

    describeServing(fixture, () => transport, () => device)
    describeClients(fixture, () => transport, () => device)
    describeEnd(fixture, () => transport, () => device)
  })
}

function describeServing (fixture: TransportFixture, transport: () => Transport, device: () => TransportDevice): void {
  describe('brings requests to the device', () => {
    let client: TransportClient

    beforeEach(async () => {
      await transport().listen(device().endpoint)
      client = await fixture.connect(transport())
    })

    afterEach(async () => {
      await client.disconnect()
    })

    it('has an address to show', () => {
      expect(transport().address).toMatch(/\S/)
    })

    it.each([[1], [2], [4], [8], [64]])('reads and writes %i bytes of a region', async count => {
      const data = Uint8Array.from({ length: count }, (_, nth) => nth + 1)

      await client.writeRegion(RegionIndex.BAR0, 0x10, data)

      expect([...device().memory.subarray(0x10, 0x10 + count)]).toEqual([...data])
      expect([...await client.readRegion(RegionIndex.BAR0, 0x10, count)]).toEqual([...data])
    })

    it('refuses accesses past the end of a region, which never reach the device', async () => {
      const end = device().memory.length

      await expect(client.readRegion(RegionIndex.BAR0, end - 2, 4)).rejects.toThrow()
      await expect(client.writeRegion(RegionIndex.BAR0, end, Uint8Array.of(1))).rejects.toThrow()
      await expect(client.readRegion(RegionIndex.BAR3, 0, 1)).rejects.toThrow()
      expect(device().log).toEqual([])
    })

    it('answers a write that takes its time when it is done, and what follows after it', async () => {
      const open = device().holdUp()
      const order: string[] = []
      const write = client.writeRegion(RegionIndex.BAR0, 0, Uint8Array.of(7)).then(() => order.push('write'))
      const read = client.readRegion(RegionIndex.BAR0, 0, 1).then(bytes => order.push(`read ${bytes[0]}`))
      await device().reached('write 0 1')

      open()
      await Promise.all([write, read])

      expect(order).toEqual(['write', 'read 7'])
    })

    it('gives memory to the DMA manager and takes it away', async () => {
      await client.map(0x10_0000, 0x2000)
      await client.unmap(0x10_0000, 0x2000)

      expect(device().mapped).toEqual([{ iova: 0x10_0000, byteLength: 0x2000, access: DmaAccess.READ_WRITE }])
      expect(device().log).toEqual(['map 1048576 8192', 'unmap 1048576 8192'])
    })

    it('answers an unmap when nothing of the memory is left', async () => {
      await client.map(0, 0x1000)
      const open = device().holdUp()
      let isDone = false
      const unmap = client.unmap(0, 0x1000).then(() => {
        isDone = true
      })
      await device().reached('unmap 0 4096')
      expect(isDone).toBe(false)

      open()
      await unmap
    })

    it('tells the client of interrupts', async () => {
      const taken = await client.setVector()

      device().triggers.get(0)?.signal()

      expect(taken()).toBe(1)
    })

    it('resets the device', async () => {
      await client.reset()

      expect(device().log).toEqual(['reset'])
    })

    it('outlives a mistake of the device', async () => {
      device().failNext()

      await expect(client.writeRegion(RegionIndex.BAR0, 0, Uint8Array.of(1))).rejects.toThrow()
      await client.writeRegion(RegionIndex.BAR0, 0, Uint8Array.of(2))

      expect(device().memory[0]).toBe(2)
    })
  })
}

function describeClients (fixture: TransportFixture, transport: () => Transport, device: () => TransportDevice): void {
  describe('lets in one client at a time', () => {
    beforeEach(async () => {
      await transport().listen(device().endpoint)
    })

    it('and the next one after it, which finds the device as it was left', async () => {
      const first = await fixture.connect(transport())
      await first.writeRegion(RegionIndex.BAR0, 5, Uint8Array.of(9))
      await first.disconnect()

      const second = await fixture.connect(transport())

      expect([...await second.readRegion(RegionIndex.BAR0, 5, 1)]).toEqual([9])
      await second.disconnect()
    })

    it('and has the connection closed for the device before the next one', async () => {
      const first = await fixture.connect(transport())
      await first.disconnect()
      const second = await fixture.connect(transport())
      await second.disconnect()
      const third = await fixture.connect(transport())

      expect(device().connections).toEqual(['connect', 'disconnect', 'connect', 'disconnect', 'connect'])
      await third.disconnect()
    })

    it('and refuses a second one, which does not disturb the first', async () => {
      const first = await fixture.connect(transport())

      await expect(fixture.connect(transport())).rejects.toThrow()
      await first.writeRegion(RegionIndex.BAR0, 0, Uint8Array.of(3))

      expect(device().memory[0]).toBe(3)
      expect(device().connections).toEqual(['connect'])
      await first.disconnect()
    })
  })
}

function describeEnd (fixture: TransportFixture, transport: () => Transport, device: () => TransportDevice): void {
  describe('ends', () => {
    it('before it began', async () => {
      await transport().close()
    })

    it('with its client, whose connection is closed for the device when it resolves', async () => {
      await transport().listen(device().endpoint)
      const client = await fixture.connect(transport())

      await transport().close()

      expect(device().connections).toEqual(['connect', 'disconnect'])
      await expect(client.readRegion(RegionIndex.BAR0, 0, 1)).rejects.toThrow()
      await client.disconnect()
    })

    it('and lets nobody in afterwards', async () => {
      await transport().listen(device().endpoint)

      await transport().close()

      await expect(fixture.connect(transport())).rejects.toThrow()
    })

    it('twice, which does nothing more', async () => {
      await transport().listen(device().endpoint)

      await Promise.all([transport().close(), transport().close()])
      await transport().close()
    })

    it('with an error for the second call to listen', async () => {
      await transport().listen(device().endpoint)

      await expect(transport().listen(device().endpoint)).rejects.toThrow()
    })
  })
}
