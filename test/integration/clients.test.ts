import { pattern, Property, VfioUserClient } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, guestMemoryUses, openDescriptors, serve, until } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

describe('when a client goes', () => {
  it('nothing of its memory stays', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path)
    await guest.driver.enable()
    const during = guestMemoryUses()
    guest.leave()
    await until(() => guestMemoryUses().descriptors === 0)
    expect(during.mappings).toBeGreaterThan(1)
    expect(guestMemoryUses()).toEqual({ descriptors: 0, mappings: 0 })
  })

  it('nothing of its eventfds stays', async () => {
    const { path } = await serve(cleanup)
    const eventFds = (): number => openDescriptors().filter(name => name.includes('eventfd')).length
    const before = eventFds()
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 8 })
    await guest.driver.enable()
    const during = eventFds()
    guest.leave()
    await until(() => eventFds() === before)
    expect(during).toBe(before + 16)
  })

  it('the registers keep their values for the next one', async () => {
    const { path } = await serve(cleanup)
    const first = await attachGuest(cleanup, path)
    await first.pci.assignBar(0, 0xfe80_0000)
    await first.driver.enable()
    first.leave()
    const next = await attachGuest(cleanup, path)
    expect((await next.pci.read(0x10, 4) & ~0xf) >>> 0).toBe(0xfe80_0000)
    expect(await next.driver.registers.read32(Property.CC)).toBe(0x46_0001)
    expect(await next.driver.registers.read32(Property.AQA)).toBe(0x1f_001f)
  })

  it('the next one finds the data, a hundred times, and nothing piles up', async () => {
    const { path } = await serve(cleanup)
    const descriptorsBefore = openDescriptors().length
    for (let round = 0; round < 100; round++) {
      const guest = await attachGuest(cleanup, path, { doorbells: 'posted', interrupts: 'msix' })
      await guest.driver.enable()
      await guest.driver.admin.setQueueCount(1)
      const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
      const found = await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
      const expected = round === 0 ? new Uint8Array(BLOCK_BYTES) : pattern(BLOCK_BYTES, round - 1)
      expect(Buffer.compare(found, expected)).toBe(0)
      await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, round))
      guest.leave()
    }
    await until(() => openDescriptors().length <= descriptorsBefore)
    expect(guestMemoryUses()).toEqual({ descriptors: 0, mappings: 0 })
  })

  it('in the middle of I/O, the next one is served', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
    const reads = Array.from(
      { length: 60 },
      () => queue.submit({ opcode: 2, nsid: 1, prp1: 0x20_0000, cdw12: 7 }).catch((error: unknown) => error)
    )
    guest.leave()
    await Promise.all(reads)
    const next = await attachGuest(cleanup, path)
    await next.driver.enable()
    expect((await next.driver.admin.identifyController()).nn).toBeGreaterThan(0)
  })
})

describe('a second client', () => {
  it('is refused, and the first does not notice', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
    const writes = Array.from(
      { length: 32 },
      (_, block) => queue.writeBytes(1, block, BLOCK_BYTES, pattern(BLOCK_BYTES, block))
    )
    const second = VfioUserClient.connect(path)
    await expect(second).rejects.toThrow()
    await Promise.all(writes)
    expect(await queue.readBytes(1, 31, BLOCK_BYTES, BLOCK_BYTES)).toEqual(pattern(BLOCK_BYTES, 31))
    expect(guest.driver.anomalies).toEqual([])
  })

  it('gets in when the first is gone', async () => {
    const { path } = await serve(cleanup)
    const first = await attachGuest(cleanup, path)
    first.leave()
    const second = await attachGuest(cleanup, path)
    expect(await second.pci.vendorId()).toBe(0x1234)
  })
})
