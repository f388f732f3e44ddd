import { describe, expect, it } from 'vitest'
import { ConfigRegister, PciStatus } from '../../pci/config-layout.js'
import { CommonCfg, NO_VECTOR, VirtioIsr } from '../../virtio/layouts.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'

/** [virtio] "MSI-X Vector Configuration", "ISR status capability", "Notification of Device Configuration Changes". */
export function describeInterrupts (fixture: VirtioDeviceFixture): void {
  describe('interrupts', () => {
    const session = useSession(fixture)
    const generation = (guest: VirtioGuest) => guest.driver.common.read(CommonCfg.configGeneration)

    it('keeps vectors that there are, and no others', async () => {
      const { driver: { common }, pci } = await session.now.attach()
      const { vectorCount } = await pci.msixInfo()
      await common.write(CommonCfg.configMsixVector, vectorCount - 1)
      expect(await common.read(CommonCfg.configMsixVector)).toBe(vectorCount - 1)
      await common.write(CommonCfg.configMsixVector, vectorCount)
      expect(await common.read(CommonCfg.configMsixVector)).toBe(NO_VECTOR)
      await common.writeQueue(0, CommonCfg.queueMsixVector, 0)
      expect(await common.readQueue(0, CommonCfg.queueMsixVector)).toBe(0)
      await common.writeQueue(0, CommonCfg.queueMsixVector, 0x1234)
      expect(await common.readQueue(0, CommonCfg.queueMsixVector)).toBe(NO_VECTOR)
    })

    it('signals the vector of the queue, and no other', async () => {
      const guest = await session.now.attach({ interrupts: 'msix' })
      const last = guest.irqs!.vectorCount - 1
      await session.now.start(guest, { queue: { vector: last } })
      await session.now.send(guest, 10)
      const counts = Array.from({ length: last + 1 }, (_, vector) => guest.irqs!.count(vector))
      expect(counts.slice(0, last)).toEqual(counts.slice(0, last).map(() => 0))
      expect(counts[last]).toBeGreaterThan(0)
    })

    it('answers request after request by interrupt', async () => {
      const guest = await session.now.attach({ interrupts: 'msix' })
      const queue = await session.now.start(guest, { queue: { size: 8 } })
      for (let count = 0; count < 100; count++) await session.now.sendOne(guest, queue)
      expect(guest.driver.anomalies).toEqual([])
    })

    it('signals nobody without a vector, and answers all the same', async () => {
      const guest = await session.now.attach({ interrupts: 'msix' })
      const queue = await session.now.start(guest, { queue: { vector: NO_VECTOR } })
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      await queue.notify()
      while (queue.reap() === 0) await guest.turns(1)
      placed.check(await queue.wait(id))
      const counts = Array.from({ length: guest.irqs!.vectorCount }, (_, vector) => guest.irqs!.count(vector))
      expect(counts).toEqual(counts.map(() => 0))
    })

    it('answers by INTx, whose status reads once and lets the line go', async () => {
      const guest = await session.now.attach({ interrupts: 'intx' })
      const isPending = async () => PciStatus.INTERRUPT.isSet(await guest.pci.read(ConfigRegister.STATUS, 2))
      const queue = await session.now.start(guest)
      guest.irqs!.onInterrupt = () => undefined
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      await queue.kick()
      await guest.irqs!.next(0)
      expect(await isPending()).toBe(true)
      expect(VirtioIsr.QUEUE.isSet(await guest.driver.isr())).toBe(true)
      expect(await guest.driver.isr()).toBe(0)
      expect(await isPending()).toBe(false)
      queue.reap()
      placed.check(await queue.wait(id))
    })

    it('answers request after request by INTx', async () => {
      const guest = await session.now.attach({ interrupts: 'intx' })
      const queue = await session.now.start(guest, { queue: { size: 8 } })
      for (let count = 0; count < 50; count++) await session.now.sendOne(guest, queue)
      expect(guest.driver.anomalies).toEqual([])
    })

    it('keeps its generation while the configuration stays the same', async () => {
      const guest = await session.now.attach()
      const before = await generation(guest)
      await session.now.start(guest)
      await session.now.send(guest)
      expect(await generation(guest)).toBe(before)
    })

    it.for(['msix', 'intx'] as const)('tells of a change of the configuration by %s', async (interrupts, { skip }) => {
      const { device } = session.now
      skip(device.changeConfig === undefined, 'the fixture cannot change the configuration')
      const guest = await session.now.attach({ interrupts })
      await session.now.start(guest)
      const before = await generation(guest)
      const told = new Promise<void>(resolve => {
        guest.driver.onConfigChange = resolve
      })
      await device.changeConfig?.()
      await told
      await guest.driver.readConfig(0, 1)
      expect(await generation(guest)).not.toBe(before)
      await session.now.send(guest)
    })

    it('tells nobody of a change before DRIVER_OK', async ({ skip }) => {
      const { device } = session.now
      skip(device.changeConfig === undefined, 'the fixture cannot change the configuration')
      const guest = await session.now.attach({ interrupts: 'msix' })
      await guest.driver.negotiate(session.now.choice())
      await guest.driver.common.setConfigVector(0)
      await device.changeConfig?.()
      await guest.turns(10)
      expect(guest.irqs!.count(0)).toBe(0)
    })
  })
}
