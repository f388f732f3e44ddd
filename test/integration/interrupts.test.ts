import { Property } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, Cleanup, serve } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const MSIX_CONTROL = { functionMask: 1 << 14, enable: 1 << 15 }

describe('MSI-X', () => {
  it('signals the vector of each completion queue, and no other', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 5 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(2)
    const first = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 3 })
    await guest.driver.createQueuePair({ id: 2, depth: 16, vector: 4 })
    const irqs = guest.irqs!
    const before = [irqs.count(1), irqs.count(2), irqs.count(3), irqs.count(4)]
    await first.flush(1)
    expect(before).toEqual([0, 0, 0, 0])
    expect([irqs.count(1), irqs.count(2), irqs.count(3), irqs.count(4)]).toEqual([0, 0, 1, 0])
  })

  it('signals once for completions that are posted together', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 2 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 64, vector: 1 })
    const flushes = Array.from({ length: 40 }, () => queue.flush(1))
    await Promise.all(flushes)
    expect(guest.irqs!.count(1)).toBeGreaterThan(0)
    expect(guest.irqs!.count(1)).toBeLessThanOrEqual(40)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('keeps messages back while the function is masked, and sends them afterwards', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 2 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
    const control = (await guest.pci.capability(0x11)) + 2
    await guest.pci.write(control, 2, MSIX_CONTROL.enable | MSIX_CONTROL.functionMask)
    const flushed = queue.flush(1)
    const { pendingBits } = await guest.pci.msixInfo()
    const isPending = async (): Promise<boolean> =>
      ((await guest.client.readRegion(pendingBits.bar, pendingBits.offset, 8))[0]! & 2) !== 0
    while (!await isPending()) await guest.client.getInfo()
    expect(guest.irqs!.count(1)).toBe(0)
    await guest.pci.write(control, 2, MSIX_CONTROL.enable)
    await flushed
    expect(guest.irqs!.count(1)).toBe(1)
  })

  it('is not sent while Bus Master Enable is clear', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 2 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
    await guest.pci.setBusMaster(false)
    const flushed = queue.flush(1)
    await guest.client.getInfo()
    expect(guest.irqs!.count(1)).toBe(0)
    expect(queue.submission.pendingCount).toBe(1)
    await guest.pci.setBusMaster(true)
    await flushed
    expect(guest.irqs!.count(1)).toBe(1)
  })

  it('works again after the vectors were taken away and given back', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 2 })
    await guest.driver.enable()
    await guest.pci.disableMsix(guest.irqs!)
    const again = await guest.pci.enableMsix(2)
    again.onInterrupt = () => void guest.driver.reapAll()
    const identity = await guest.driver.admin.identifyController()
    expect(identity.nn).toBeGreaterThan(0)
    expect(again.count(0)).toBe(1)
    again.close()
  })
})

describe('MSI', () => {
  it('signals completions', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msi' })
    await guest.driver.enable()
    await guest.driver.admin.identifyController()
    expect(guest.irqs!.count(0)).toBe(1)
  })
})

describe('INTx', () => {
  it('signals completions, and shows its level in the status register', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'intx' })
    const irqs = guest.irqs!
    await guest.driver.enable()
    let levelSeen = 0
    const handle = irqs.onInterrupt
    irqs.onInterrupt = vector => {
      void guest.pci.read(6, 2).then(status => {
        levelSeen = status & 8
        handle(vector)
      })
    }
    await guest.driver.admin.identifyController()
    await guest.driver.reapAll()
    expect(levelSeen).toBe(8)
    expect((await guest.pci.read(6, 2)) & 8).toBe(0)
    expect(irqs.count(0)).toBe(1)
  })

  it('signals again after unmasking while the level is still up', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'intx' })
    const irqs = guest.irqs!
    await guest.driver.enable()
    const handle = irqs.onInterrupt
    irqs.onInterrupt = () => undefined
    const identified = guest.driver.admin.identifyController()
    await irqs.next(0)
    await irqs.unmask()
    await irqs.next(0)
    irqs.onInterrupt = handle
    handle(0)
    await identified
    expect(irqs.count(0)).toBeGreaterThanOrEqual(2)
  })

  it('is silent while INTMS masks it, and signals when INTMC lets it through', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'intx' })
    await guest.driver.enable()
    await guest.driver.registers.write32(Property.INTMS, 1)
    const identified = guest.driver.admin.identifyController()
    while (((await guest.pci.read(6, 2)) & 8) !== 0) await guest.client.getInfo()
    expect(guest.irqs!.count(0)).toBe(0)
    await guest.driver.registers.write32(Property.INTMC, 1)
    await identified
    expect(guest.irqs!.count(0)).toBe(1)
  })

  it('is silent while Interrupt Disable is set, and still shows in the status register', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'intx' })
    await guest.driver.enable()
    await guest.pci.write(4, 2, 0x0406)
    const identified = guest.driver.admin.identifyController()
    while (((await guest.pci.read(6, 2)) & 8) === 0) await guest.client.getInfo()
    expect(guest.irqs!.count(0)).toBe(0)
    await guest.pci.write(4, 2, 0x0006)
    await identified
    expect(guest.irqs!.count(0)).toBe(1)
  })
})

describe('interrupts and the client', () => {
  it('can be triggered by the client for a loopback test', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { interrupts: 'msix', vectors: 4 })
    await guest.client.setIrqs({ index: 2, start: 1, count: 3, action: 'trigger', data: [true, false, true] })
    await Promise.all([guest.irqs!.next(1), guest.irqs!.next(3)])
    expect(guest.irqs!.count(2)).toBe(0)
  })
})
