import { beforeEach, describe, expect, it } from 'vitest'
import { GuestFile } from '../../guest/guest-file.js'
import type { GuestMemory, GuestRegion } from '../../guest/guest-memory.js'
import { VirtioFeature } from '../../virtio/layouts.js'
import { queueBytes } from '../../virtio/virtqueue.js'
import type { QueuePlace } from '../../virtio/driver-ring.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'
import type { QueueFormat } from './session.js'

const MIB = 1024 * 1024
const RINGS_IOVA = 0x4000_0000
const PAGE = 4096
const SIZE = 16
/** Pages that are regions of their own. */
const REGIONS = 256
/** An address at which there is never any memory. */
const NOWHERE = 0x7f_0000_0000

/** Memory for data, and a region of its own for rings. */
function layOut (memory: GuestMemory): void {
  memory.add({ iova: MIB, byteLength: 16 * MIB })
  memory.add({ iova: RINGS_IOVA, byteLength: 16 * PAGE, file: GuestFile.create(64 * PAGE) })
  memory.reserve(RINGS_IOVA, 16 * PAGE)
}

const RINGS: QueuePlace = {
  descriptors: RINGS_IOVA,
  driver: RINGS_IOVA + PAGE + 64,
  device: RINGS_IOVA + 2 * PAGE + 128
}

function ringRegion (guest: VirtioGuest): GuestRegion {
  return guest.memory.regions.find(({ iova }) => iova === RINGS_IOVA)!
}

/** A guest's memory that moves and goes. */
export function describeQueueMemory (fixture: VirtioDeviceFixture, format: QueueFormat): void {
  describe('memory', () => {
    const session = useSession(fixture, format)
    let guest: VirtioGuest
    beforeEach(async () => {
      guest = await session.now.attach({ layOut, doorbells: 'posted' })
    })
    const start = () => session.now.start(guest, { queue: { size: SIZE, place: RINGS } })

    it('serves a queue that moved, without any other event', async () => {
      await start()
      await session.now.send(guest, 20)
      for (const page of [20, 40, 0]) {
        const left = await guest.memory.move(guest.client, ringRegion(guest), page * PAGE)
        await session.now.send(guest, 20)
        expect(left.isUntouched).toBe(true)
      }
    })

    it('serves a queue that moves while it is in use', async () => {
      await start()
      let isMoving = true
      const work = (async () => {
        while (isMoving) await session.now.send(guest, 8)
      })()
      for (let round = 0; round < 20; round++) {
        const left = await guest.memory.move(guest.client, ringRegion(guest), (round % 2 === 0 ? 20 : 0) * PAGE)
        await guest.turns(2)
        expect(left.isUntouched).toBe(true)
      }
      isMoving = false
      await work
    })

    it('waits for a queue whose memory is away, and serves what it finds there when it comes back', async () => {
      const queue = await start()
      await session.now.send(guest)
      const region = ringRegion(guest)
      await guest.client.unmapDma(region.iova, region.byteLength)
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      await queue.notify()
      await guest.turns(20)
      expect(placed.isUntouched).toBe(true)
      await guest.memory.map(guest.client, [region])
      await queue.notify()
      placed.check(await queue.wait(id))
    })

    it('reaches nothing while bus mastering is off, and goes on after', async () => {
      const queue = await start()
      await session.now.send(guest)
      await guest.pci.setBusMaster(false)
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      await queue.notify()
      await guest.turns(20)
      expect(placed.isUntouched).toBe(true)
      await guest.pci.setBusMaster(true)
      placed.check(await queue.wait(id))
      expect(await guest.driver.common.needsReset()).toBe(false)
    })

    it('stands data where there is no memory', async () => {
      const queue = await start()
      const { chain } = session.now.place(guest)
      const move = ({ byteLength }: { readonly byteLength: number }) => ({ iova: NOWHERE, byteLength })
      queue.add({ readable: chain.readable.map(move), writable: chain.writable })
      queue.add({ readable: chain.readable, writable: chain.writable.map(move) })
      queue.add({ readable: [], writable: [{ iova: 2 ** 63, byteLength: 0xffff_ffff }] })
      await queue.notify()
      await guest.turns(20)
      await session.now.recover(guest)
    })

    it('stands a queue where there is no memory', async () => {
      const { driver } = guest
      await driver.negotiate(session.now.choice())
      const place = { descriptors: NOWHERE, driver: NOWHERE + PAGE, device: NOWHERE + 2 * PAGE }
      await driver.common.enableQueue(session.now.queueIndex, { size: SIZE, vector: 0xffff, place })
      await driver.ready()
      await driver.sendNotification(0, 2, session.now.queueIndex)
      await guest.turns(20)
      await session.now.recover(guest)
    })

    it('stands a table of descriptors where there is no memory', async () => {
      const queue = await start()
      queue.addRaw([{ addr: NOWHERE, len: 64, flags: 4 }])
      await queue.notify()
      await guest.turns(20)
      await session.now.recover(guest)
    })

    it.each<readonly [string, readonly number[]]>([
      ['with event indexes', []],
      ['without event indexes', [VirtioFeature.EVENT_IDX]]
    ])('serves queues and data that the client does not share, %s', async (_, without) => {
      const other = await session.now.attach({
        doorbells: 'posted',
        layOut: memory => void memory.add({ iova: MIB, byteLength: 4 * MIB, shared: false })
      })
      await session.now.start(other, { without, queue: { size: 8 } })
      for (let round = 0; round < 60; round++) await session.now.send(other, 1 + round % 14)
    })

    it('serves a queue each page of which is a region, and which starts where one ends', async () => {
      const file = GuestFile.create(3 * REGIONS * PAGE)
      const other = await session.now.attach({
        layOut: memory => {
          for (let page = 0; page < REGIONS; page++) {
            const fileOffset = 3 * (REGIONS - 1 - page) * PAGE
            memory.add({ iova: RINGS_IOVA + page * PAGE, byteLength: PAGE, file, fileOffset })
          }
          memory.reserve(RINGS_IOVA, 16 * PAGE)
        }
      })
      const bytes = queueBytes(64, session.now.isPacked)
      const align = (at: number, to: number) => at - at % to
      const place = {
        descriptors: align(RINGS_IOVA + 2 * PAGE - bytes.descriptors / 2, 16),
        driver: align(RINGS_IOVA + 6 * PAGE - bytes.driver / 2, 4),
        device: align(RINGS_IOVA + 10 * PAGE - bytes.device / 2, 4)
      }
      await session.now.start(other, { queue: { size: 64, place } })
      for (let round = 0; round < 4; round++) await session.now.send(other, 30, { cut: [9, 5, 4096] })
    })
  })
}
