import { beforeEach, describe, expect, it } from 'vitest'
import { CommonCfg, VirtioFeature } from '../../virtio/layouts.js'
import type { ChainFraming } from '../../virtio/descriptor.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { AccessWidth } from '../../virtio/virtio-structures.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'
import type { QueueFormat } from './session.js'

const { EVENT_IDX, IN_ORDER, INDIRECT_DESC, NOTIFICATION_DATA } = VirtioFeature

/** [virtio] "Split Virtqueues", "Packed Virtqueues", "Message Framing". */
export function describeQueues (fixture: VirtioDeviceFixture, format: QueueFormat): void {
  describe('requests', () => {
    const session = useSession(fixture, format)
    let guest: VirtioGuest
    beforeEach(async () => {
      guest = await session.now.attach()
    })
    const has = (feature: number) => guest.driver.features.has(feature)

    it.for<readonly [string, ChainFraming]>([
      ['a descriptor for each part', {}],
      ['a descriptor of a byte, one of two, and what is left', { cut: [1, 2, 4096] }],
      ['odd pieces', { cut: [7, 9, 513] }],
      ['an indirect table', { indirect: true }],
      ['an indirect table of odd pieces', { indirect: true, cut: [3, 1, 17] }]
    ])('are answered in %s', async ([, framing], { skip }) => {
      await session.now.start(guest)
      skip(framing.indirect !== undefined && !has(INDIRECT_DESC), 'no indirect descriptors')
      await session.now.send(guest, 3, framing)
    })

    it('are answered in descriptors that end with a table', async ({ skip }) => {
      await session.now.start(guest)
      skip(session.now.isPacked, 'packed queues have no such lists')
      skip(!has(INDIRECT_DESC), 'no indirect descriptors')
      await session.now.send(guest, 3, { indirect: 1, cut: [5, 11] })
      await session.now.send(guest, 3, { indirect: 2, cut: [5, 11] })
    })

    it.for([1, 2, 4, 16])('are answered in any number by a queue of %i', async (size, { skip }) => {
      await session.now.start(guest, { queue: { size } })
      skip(size === 1 && !has(INDIRECT_DESC), 'no indirect descriptors')
      await session.now.send(guest, 5 * size + 3, { indirect: has(INDIRECT_DESC) })
    })

    it('are answered by a queue of the largest size', async () => {
      const size = await guest.driver.common.readQueue(session.now.queueIndex, CommonCfg.queueSize)
      await session.now.start(guest, { queue: { size } })
      await session.now.send(guest, 40)
    })

    it('are answered by a packed queue of a size that is no power of two', async ({ skip }) => {
      skip(!session.now.isPacked, 'split queues have powers of two')
      await session.now.start(guest, { queue: { size: 13 } })
      await session.now.send(guest, 60)
    })

    it.each<readonly [string, readonly number[]]>([
      ['event indexes', [EVENT_IDX]],
      ['an order', [IN_ORDER]],
      ['notification data', [NOTIFICATION_DATA]],
      ['indirect descriptors', [INDIRECT_DESC]],
      ['any of these', [EVENT_IDX, IN_ORDER, NOTIFICATION_DATA, INDIRECT_DESC]]
    ])('are answered without %s', async (_, without) => {
      await session.now.start(guest, { without })
      await session.now.send(guest, 20)
    })

    it('are answered one after the other, each notified only if the device wants that', async () => {
      const queue = await session.now.start(guest, { queue: { size: 8 } })
      for (let count = 0; count < 200; count++) await session.now.sendOne(guest, queue)
      expect(guest.driver.anomalies).toEqual([])
    })

    it('are all answered after one notification', async () => {
      const queue = await session.now.start(guest)
      const placed = Array.from({ length: 8 }, () => session.now.place(guest))
      const ids = placed.map(({ chain }) => queue.stage(chain))
      queue.ring.publish()
      await queue.notify()
      const used = await Promise.all(ids.map(id => queue.wait(id)))
      placed.forEach((each, index) => each.check(used[index]!))
    })

    it('are answered after notifications of all kinds of nonsense', async () => {
      await session.now.start(guest)
      const values = [0xffff, 0xfffe, 1000, 0x8000_0000, 0xffff_ffff]
      for (const value of values) {
        for (const width of [1, 2, 4] as const satisfies readonly AccessWidth[]) {
          await guest.driver.sendNotification(0, width, value)
        }
      }
      await session.now.send(guest)
    })

    it('are answered after notifications of a queue that is not enabled', async () => {
      await guest.driver.negotiate(session.now.choice())
      await guest.driver.sendNotification(0, 2, session.now.queueIndex)
      await guest.driver.ready()
      await guest.driver.sendNotification(0, 2, session.now.queueIndex)
      await session.now.recover(guest)
    })

    it('are answered when the device is told of them over and over', async () => {
      const queue = await session.now.start(guest)
      const more = Array.from({ length: 50 }, () => queue.notify())
      await Promise.all([session.now.send(guest, 20), ...more])
    })

    it('are answered while notifications want no reply', async () => {
      const quick = await session.now.attach({ doorbells: 'posted' })
      await session.now.start(quick)
      await session.now.send(quick, 64)
    })

    it.each<readonly [string, number]>([
      ['0', 0],
      ['more than there is', 0xffff],
      ['no power of two', 3]
    ])('are answered after a queue with a size of %s', async (_, size) => {
      const { driver } = guest
      await driver.negotiate(session.now.choice())
      const place = {
        descriptors: guest.memory.allocate(4096),
        driver: guest.memory.allocate(4096),
        device: guest.memory.allocate(4096)
      }
      await driver.common.enableQueue(session.now.queueIndex, { size, vector: 0xffff, place })
      await driver.ready()
      await session.now.recover(guest)
    })

    it('are answered after a queue whose parts are not aligned', async () => {
      const { driver } = guest
      await driver.negotiate(session.now.choice())
      const start = guest.memory.allocate(4096)
      const place = { descriptors: start + 1, driver: start + 1025, device: start + 2050 }
      await driver.common.enableQueue(session.now.queueIndex, { size: 2, vector: 0xffff, place })
      await driver.ready()
      await session.now.recover(guest)
    })
  })
}
