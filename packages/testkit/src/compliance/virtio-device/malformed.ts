import { beforeEach, describe, expect, it } from 'vitest'
import type { RawDescriptor } from '../../virtio/descriptor.js'
import { DescriptorFlag, VirtioFeature } from '../../virtio/layouts.js'
import type { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { Virtqueue } from '../../virtio/virtqueue.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { createPage, useSession } from './session.js'
import type { QueueFormat } from './session.js'

const { NEXT, WRITE, INDIRECT } = DescriptorFlag
const SIZE = 16

/** What is wrong with a chain. It gets the address of a page that the device may read and write. */
interface Malformed {
  readonly what: string
  readonly formats: readonly QueueFormat[]
  /** Breaks the rule on a queue of 16 to which nothing was added yet. */
  offer(queue: Virtqueue, page: number): void
  /** Not to be negotiated. */
  readonly without?: readonly number[]
  readonly needs?: number
}

const BOTH: readonly QueueFormat[] = ['split', 'packed']

const CASES: readonly Malformed[] = [
  {
    what: 'a chain that leads back into itself',
    formats: ['split'],
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 8, flags: NEXT }, { addr, len: 8, flags: NEXT, next: 0 }])
  },
  {
    what: 'a chain that leads out of the ring',
    formats: ['split'],
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 8, flags: NEXT, next: 0xfff0 }])
  },
  {
    what: 'a head outside of the ring',
    formats: ['split'],
    offer: queue => queue.split.offerHead(SIZE)
  },
  {
    what: 'an index that is further ahead than the ring is long',
    formats: ['split'],
    offer: queue => queue.split.setIndex(SIZE + 1)
  },
  {
    what: 'an index that went back',
    formats: ['split'],
    offer: queue => queue.split.setIndex(0xffff)
  },
  {
    what: 'a list that is longer than the ring',
    formats: ['packed'],
    offer: (queue, addr) => void queue.addRaw(repeat(SIZE, { addr, len: 8, flags: NEXT }))
  },
  {
    what: 'something to read after something to write',
    formats: BOTH,
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 8, flags: WRITE | NEXT }, { addr, len: 8, flags: 0 }])
  },
  {
    what: 'a table although none was negotiated',
    formats: BOTH,
    without: [VirtioFeature.INDIRECT_DESC],
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 32, flags: INDIRECT }])
  },
  {
    what: 'an empty table',
    formats: BOTH,
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 0, flags: INDIRECT }])
  },
  {
    what: 'a table that ends inside a descriptor',
    formats: BOTH,
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, addr) => void queue.addRaw([{ addr, len: 40, flags: INDIRECT }])
  },
  {
    what: 'a descriptor that has a table and goes on',
    formats: BOTH,
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, addr) =>
      void queue.addRaw([{ addr, len: 32, flags: INDIRECT | NEXT }, { addr, len: 8, flags: WRITE }])
  },
  {
    what: 'a table in a table',
    formats: ['split'],
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, page) => {
      const table = page + 1024
      writeTable(queue, page, [{ addr: table, len: 16, flags: INDIRECT, next: 0 }])
      writeTable(queue, table, [{ addr: page + 2048, len: 8, flags: WRITE, next: 0 }])
      queue.addRaw([{ addr: page, len: 16, flags: INDIRECT }])
    }
  },
  {
    what: 'a table that leads back into itself',
    formats: ['split'],
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, page) => {
      const entry = { addr: page + 2048, len: 8, flags: NEXT }
      writeTable(queue, page, [{ ...entry, next: 1 }, { ...entry, next: 0 }])
      queue.addRaw([{ addr: page, len: 32, flags: INDIRECT }])
    }
  },
  {
    what: 'a table that leads out of itself',
    formats: ['split'],
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, page) => {
      writeTable(queue, page, [{ addr: page + 2048, len: 8, flags: NEXT, next: 2 }])
      queue.addRaw([{ addr: page, len: 32, flags: INDIRECT }])
    }
  },
  {
    what: 'something to read after something to write, in a table',
    formats: BOTH,
    needs: VirtioFeature.INDIRECT_DESC,
    offer: (queue, page) => {
      const at = page + 2048
      writeTable(queue, page, [{ addr: at, len: 8, flags: WRITE | NEXT, next: 1 }, { addr: at, len: 8, flags: 0 }])
      queue.addRaw([{ addr: page, len: 32, flags: INDIRECT }])
    }
  }
]

function repeat (count: number, descriptor: RawDescriptor): RawDescriptor[] {
  return Array.from({ length: count }, () => descriptor)
}

/** Writes an indirect table in the format of the queue. In a packed one NEXT means nothing. */
function writeTable (queue: Virtqueue, iova: number, descriptors: readonly RawDescriptor[]): void {
  descriptors.forEach((fields, position) => queue.writeTableEntry(iova + 16 * position, fields))
}

/** [virtio] "Driver Requirements" that are broken, each of which ends in DEVICE_NEEDS_RESET. */
export function describeMalformedChains (fixture: VirtioDeviceFixture, format: QueueFormat): void {
  describe('malformed chains', () => {
    const session = useSession(fixture, format)
    let guest: VirtioGuest
    beforeEach(async () => {
      guest = await session.now.attach({ interrupts: 'msix', doorbells: 'posted' })
    })

    const cases = CASES.filter(({ formats }) => formats.includes(format)).map(each => [each.what, each] as const)
    it.for(cases)(
      'needs a reset after %s, says so, and works after it',
      async ([, { offer, without = [], needs }], { skip }) => {
        const queue = await session.now.start(guest, { without, queue: { size: SIZE } })
        if (needs !== undefined) skip(!guest.driver.features.has(needs), 'no indirect descriptors')
        const page = createPage(guest)
        offer(queue, page.iova)
        await queue.notify()
        await session.now.waitBroken(guest)
        // [virtio] "Device Status Field": after DRIVER_OK the device tells of it as of a changed configuration.
        await guest.irqs!.next(0)
        await session.now.recover(guest)
      }
    )

    it('serves nothing more until it is reset', async () => {
      const queue = await session.now.start(guest, { queue: { size: SIZE } })
      const page = createPage(guest)
      queue.addRaw([{ addr: page.iova, len: 8, flags: WRITE | NEXT }, { addr: page.iova, len: 8, flags: 0 }])
      await queue.notify()
      await session.now.waitBroken(guest)
      const placed = session.now.place(guest)
      queue.add(placed.chain)
      await queue.notify()
      await guest.turns(20)
      expect(placed.isUntouched).toBe(true)
      expect(page.read().every(byte => byte === 0)).toBe(true)
    })

    it('answers what came before', async () => {
      const queue = await session.now.start(guest, { queue: { size: SIZE } })
      const placed = session.now.place(guest)
      const id = queue.add(placed.chain)
      const returned = queue.wait(id)
      await queue.notify()
      placed.check(await returned)
      const page = createPage(guest)
      queue.addRaw([{ addr: page.iova, len: 8, flags: WRITE | NEXT }, { addr: page.iova, len: 8, flags: 0 }])
      await queue.notify()
      await session.now.waitBroken(guest)
      await session.now.recover(guest)
    })
  })
}
