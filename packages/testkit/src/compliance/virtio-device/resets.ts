import { beforeEach, describe, expect, it } from 'vitest'
import { CapabilityId, DeviceCapabilities, Pmcsr } from '../../pci/config-layout.js'
import type { GuestBuffer } from '../../virtio/descriptor.js'
import { CommonCfg, VirtioFeature } from '../../virtio/layouts.js'
import type { Virtqueue } from '../../virtio/virtqueue.js'
import type { PlacedSample } from '../../virtio/virtio-sample.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'
import type { QueueFormat } from './session.js'

const POISON = 0xd7
const REQUESTS = 24

/** The parts of a queue, which nobody may write to any more. */
function poison (guest: VirtioGuest, queue: Virtqueue): () => boolean {
  for (const { iova, byteLength } of queue.parts) guest.memory.fill(iova, byteLength, POISON)
  const isPoison = ({ iova, byteLength }: GuestBuffer) =>
    guest.memory.bytesAt(iova, byteLength).every(byte => byte === POISON)
  return () => queue.parts.every(isPoison)
}

/** [virtio] "Device Reset", "Virtqueue Reset"; [PCIe] "Function Level Reset", "Power Management". */
export function describeResets (fixture: VirtioDeviceFixture, format: QueueFormat): void {
  describe('resets', () => {
    const session = useSession(fixture, format)
    let guest: VirtioGuest
    beforeEach(async () => {
      guest = await session.now.attach({ doorbells: 'posted' })
    })

    /** Requests of which nobody knows how far they are. */
    async function load (): Promise<{ queue: Virtqueue, placed: PlacedSample[] }> {
      const queue = await session.now.start(guest, { queue: { size: 64 } })
      const placed = Array.from({ length: REQUESTS }, () => session.now.place(guest))
      for (const { chain } of placed) queue.add(chain)
      await queue.notify()
      return { queue, placed }
    }

    async function expectQuiet (queue: Virtqueue, placed: readonly PlacedSample[]): Promise<void> {
      const isQuiet = poison(guest, queue)
      const buffers = placed.flatMap(({ chain }) => chain.writable)
      for (const { iova, byteLength } of buffers) guest.memory.fill(iova, byteLength, POISON)
      await guest.turns(20)
      expect(isQuiet()).toBe(true)
      const written = buffers.filter(({ iova, byteLength }) =>
        guest.memory.bytesAt(iova, byteLength).some(byte => byte !== POISON)
      )
      expect(written).toEqual([])
    }

    it('leaves memory alone once device_status reads 0, and works again', async () => {
      const { queue, placed } = await load()
      await guest.driver.reset()
      await expectQuiet(queue, placed)
      await session.now.recover(guest)
    })

    it('leaves memory alone once VFIO_USER_DEVICE_RESET is answered, and works again', async () => {
      const { queue, placed } = await load()
      await guest.client.reset()
      await expectQuiet(queue, placed)
      expect(await guest.driver.common.status()).toBe(0)
      await guest.pci.enable()
      await session.now.recover(guest)
    })

    it('leaves memory alone after a function-level reset, and works again', async ({ skip }) => {
      const express = (await guest.pci.capabilities()).find(({ id }) => id === CapabilityId.PCI_EXPRESS)?.offset ?? 0
      skip(express === 0 || !DeviceCapabilities.FLR.isSet(await guest.pci.read(express + 4, 4)), 'no FLR')
      const { queue, placed } = await load()
      await guest.pci.functionLevelReset()
      await expectQuiet(queue, placed)
      await guest.pci.enable()
      await session.now.recover(guest)
    })

    it('leaves memory alone in D3hot, and works after it', async ({ skip }) => {
      const power = (await guest.pci.capabilities()).find(({ id }) => id === CapabilityId.POWER_MANAGEMENT)?.offset ?? 0
      skip(power === 0, 'no power management')
      skip(Pmcsr.NO_SOFT_RESET.isSet(await guest.pci.read(power + 4, 2)), 'D3hot resets nothing')
      const { queue, placed } = await load()
      await guest.pci.setPowerState('D3hot')
      await expectQuiet(queue, placed)
      await guest.pci.setPowerState('D0')
      await guest.pci.enable()
      await session.now.recover(guest)
    })

    it('works again and again', async () => {
      for (let round = 0; round < 10; round++) {
        await load()
        await guest.driver.reset()
      }
      await session.now.recover(guest)
    })

    it('serves the next client when one is gone in the middle', async () => {
      await load()
      guest.leave()
      const next = await session.now.attach()
      await session.now.recover(next)
    })

    it('resets a queue alone, and takes it back elsewhere', async ({ skip }) => {
      const { queue, placed } = await load()
      skip(!guest.driver.features.has(VirtioFeature.RING_RESET), 'no ring reset')
      await guest.driver.resetQueue(queue.index)
      expect(await guest.driver.common.readQueue(queue.index, CommonCfg.queueEnable)).toBe(0)
      await expectQuiet(queue, placed)
      await guest.driver.createQueue({ index: queue.index, size: 32 })
      expect(await guest.driver.common.readQueue(queue.index, CommonCfg.queueReset)).toBe(0)
      await session.now.send(guest, 40)
    })

    it('resets a queue again and again, under load', async ({ skip }) => {
      const { queue } = await load()
      skip(!guest.driver.features.has(VirtioFeature.RING_RESET), 'no ring reset')
      for (let round = 0; round < 10; round++) {
        await guest.driver.resetQueue(queue.index)
        const next = await guest.driver.createQueue({ index: queue.index, size: 16 })
        for (let count = 0; count < 5; count++) next.add(session.now.place(guest).chain)
        await next.notify()
      }
      await guest.driver.resetQueue(queue.index)
      await guest.driver.createQueue({ index: queue.index })
      await session.now.send(guest)
    })

    it('refuses nothing and reads as enabled while a queue works', async () => {
      await load()
      expect(await guest.driver.common.readQueue(session.now.queueIndex, CommonCfg.queueEnable)).toBe(1)
    })
  })
}
