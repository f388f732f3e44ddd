import { describe, expect, it } from 'vitest'
import { CommonCfg, NO_VECTOR, VirtioFeature, VirtioStatus } from '../../virtio/layouts.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'

const { ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, FAILED } = VirtioStatus

/** [virtio] "Device Initialization", "Feature Bits", "Device Status Field". */
export function describeInitialization (fixture: VirtioDeviceFixture): void {
  describe('initialization', () => {
    const session = useSession(fixture)

    it('starts with a status of 0, and with nothing accepted', async () => {
      const { driver: { common } } = await session.now.attach()
      expect(await common.status()).toBe(0)
      expect(await common.acceptedFeatures()).toEqual(new Set())
    })

    it('follows the steps of the driver, and goes back to 0', async () => {
      const { driver } = await session.now.attach()
      await driver.negotiate(session.now.choice())
      await driver.ready()
      expect(await driver.common.status()).toBe(ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
      await driver.reset()
      expect(await driver.common.status()).toBe(0)
      expect(await driver.common.acceptedFeatures()).toEqual(new Set())
    })

    it('offers VERSION_1, and nothing beyond the feature bits there are', async () => {
      const { driver: { common } } = await session.now.attach()
      expect(await common.offeredFeatures()).toContain(VirtioFeature.VERSION_1)
      for (const select of [4, 5, 0x8000_0000, 0xffff_ffff]) {
        await common.write(CommonCfg.deviceFeatureSelect, select)
        expect(await common.read(CommonCfg.deviceFeature)).toBe(0)
      }
    })

    it('refuses a driver that does not know VERSION_1', async () => {
      const { driver } = await session.now.attach()
      const without = [...(fixture.features?.without ?? []), VirtioFeature.VERSION_1]
      await expect(driver.negotiate({ without })).rejects.toThrow('refuses')
    })

    it('never agrees to a feature that it does not offer', async () => {
      const { driver: { common } } = await session.now.attach()
      const offered = await common.offeredFeatures()
      const foreign = Array.from({ length: 128 }, (_, bit) => bit).filter(bit => !offered.has(bit))
      for (const bit of foreign.slice(0, 8)) {
        await common.reset()
        await common.addStatus(ACKNOWLEDGE | DRIVER)
        await common.acceptFeatures(new Set([VirtioFeature.VERSION_1, bit]))
        await common.addStatus(FEATURES_OK)
        const isRefused = (await common.status() & FEATURES_OK) === 0
        expect(isRefused || !(await common.acceptedFeatures()).has(bit)).toBe(true)
      }
    })

    it('stands by what was negotiated', async () => {
      const { driver } = await session.now.attach()
      const features = await driver.negotiate(session.now.choice())
      await driver.common.acceptFeatures(new Set())
      expect(await driver.common.acceptedFeatures()).toEqual(features)
    })

    it('has queues of the size that it says, and no others', async () => {
      const { driver: { common } } = await session.now.attach()
      const count = await common.read(CommonCfg.numQueues)
      expect(count).toBeGreaterThan(0)
      const sizes = await Promise.all(
        Array.from({ length: count }, (_, at) => common.readQueue(at, CommonCfg.queueSize))
      )
      expect(sizes.every(size => size > 0 && size <= 32_768 && (size & (size - 1)) === 0)).toBe(true)
      expect(await common.readQueue(count, CommonCfg.queueSize)).toBe(0)
      expect(await common.readQueue(0xffff, CommonCfg.queueSize)).toBe(0)
    })

    it('forgets queues and vectors in a reset', async () => {
      const guest = await session.now.attach({ interrupts: 'msix' })
      const { driver: { common } } = guest
      const size = await common.readQueue(session.now.queueIndex, CommonCfg.queueSize)
      await session.now.start(guest, { queue: { size: Math.max(2, size / 2) } })
      await guest.driver.reset()
      expect(await common.readQueue(session.now.queueIndex, CommonCfg.queueEnable)).toBe(0)
      expect(await common.readQueue(session.now.queueIndex, CommonCfg.queueSize)).toBe(size)
      expect(await common.readQueue(session.now.queueIndex, CommonCfg.queueMsixVector)).toBe(NO_VECTOR)
      expect(await common.readQueue(session.now.queueIndex, CommonCfg.queueDesc)).toBe(0)
      expect(await common.read(CommonCfg.configMsixVector)).toBe(NO_VECTOR)
    })

    it('serves nothing before DRIVER_OK', async () => {
      const guest = await session.now.attach()
      const { driver } = guest
      await driver.negotiate(session.now.choice())
      const queue = await driver.createQueue({ index: session.now.queueIndex })
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      await queue.notify()
      await guest.turns(20)
      expect(queue.take()).toBeUndefined()
      expect(placed.isUntouched).toBe(true)
      await driver.ready()
      await queue.notify()
      placed.check(await queue.wait(id))
    })

    it.each<readonly [string, (guest: VirtioGuest) => Promise<void>]>([
      ['DRIVER_OK before anything else', guest => guest.driver.common.setStatus(DRIVER_OK)],
      ['FEATURES_OK before anything else', guest => guest.driver.common.setStatus(FEATURES_OK)],
      ['all of the status at once', guest => guest.driver.common.setStatus(0xff)],
      ['FAILED', async guest => {
        await guest.driver.negotiate(session.now.choice())
        await guest.driver.common.addStatus(FAILED)
      }],
      ['a status that loses bits', async guest => {
        await session.now.start(guest)
        await guest.driver.common.setStatus(ACKNOWLEDGE)
      }],
      ['a queue before the features', async guest => {
        await guest.driver.common.addStatus(ACKNOWLEDGE | DRIVER)
        await guest.driver.common.writeQueue(0, CommonCfg.queueEnable, 1)
      }],
      ['a queue that there is not', async guest => {
        await guest.driver.negotiate(session.now.choice())
        await guest.driver.common.writeQueue(0xffff, CommonCfg.queueEnable, 1)
      }],
      ['a queue without an address', async guest => {
        await guest.driver.negotiate(session.now.choice())
        await guest.driver.common.writeQueue(0, CommonCfg.queueEnable, 1)
        await guest.driver.ready()
        await guest.driver.sendNotification(0, 2, 0)
      }],
      ['a reset of a queue that is not enabled', async guest => {
        await guest.driver.negotiate(session.now.choice())
        await guest.driver.common.writeQueue(0, CommonCfg.queueReset, 1)
      }],
      ['features after DRIVER_OK', async guest => {
        await session.now.start(guest)
        await guest.driver.common.acceptFeatures(new Set([0, 1, 2, 3]))
        await guest.driver.common.addStatus(FEATURES_OK)
      }]
    ])('stands %s, and works after a reset', async (_, misbehave) => {
      const guest = await session.now.attach()
      await misbehave(guest)
      await session.now.recover(guest)
    })
  })
}
