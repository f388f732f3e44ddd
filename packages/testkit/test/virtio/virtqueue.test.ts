import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GuestMemory } from '../../src/guest/guest-memory.js'
import { CommandAbandonedError } from '../../src/guest/pending-commands.js'
import type { VirtqueueSpec } from '../../src/virtio/virtqueue.js'
import { queueBytes, Virtqueue } from '../../src/virtio/virtqueue.js'
import { DevicePackedRing, DeviceSplitRing } from './device-rings.js'
import type { DeviceRing, SeenChain } from './device-rings.js'

const SIZE = 8
let memory: GuestMemory

beforeEach(() => {
  memory = new GuestMemory()
  memory.add({ iova: 0x10_0000, byteLength: 0x10_0000 })
})
afterEach(() => memory.close())

interface Setup {
  readonly queue: Virtqueue
  readonly device: DeviceRing
  readonly anomalies: string[]
  readonly notifications: number[]
}

function setUp (isPacked: boolean, changes: Partial<VirtqueueSpec> = {}): Setup {
  const bytes = queueBytes(SIZE, isPacked)
  const place = {
    descriptors: memory.allocate(bytes.descriptors),
    driver: memory.allocate(bytes.driver),
    device: memory.allocate(bytes.device)
  }
  const anomalies: string[] = []
  const notifications: number[] = []
  const queue = new Virtqueue({
    index: 0,
    size: SIZE,
    place,
    vector: undefined,
    isPacked,
    hasEventIndex: false,
    isInOrder: false,
    ...changes
  }, {
    memory,
    timeoutMs: 1000,
    anomalies,
    notify: each => void notifications.push(each.ring.notificationData),
    submitted: () => undefined
  })
  const device = new (isPacked ? DevicePackedRing : DeviceSplitRing)(memory, place, SIZE)
  return { queue, device, anomalies, notifications }
}

function takeChain (device: DeviceRing): SeenChain {
  const chain = device.next()
  if (chain === undefined) throw new Error('Nothing is available.')
  return chain
}

const CHAIN = {
  readable: [{ iova: 0x1000, byteLength: 16 }, { iova: 0x2000, byteLength: 100 }],
  writable: [{ iova: 0x3000, byteLength: 513 }]
}
const SEEN = [
  { addr: 0x1000, len: 16, isWritable: false },
  { addr: 0x2000, len: 100, isWritable: false },
  { addr: 0x3000, len: 513, isWritable: true }
]

describe.each([false, true])('a queue, packed: %s', isPacked => {
  it('makes a chain available as it is', () => {
    const { queue, device } = setUp(isPacked)
    queue.add(CHAIN)
    expect(takeChain(device).descriptors).toEqual(SEEN)
    expect(device.next()).toBeUndefined()
  })

  it('puts a chain into an indirect table, and gives the table back', () => {
    const { queue, device } = setUp(isPacked)
    queue.add(CHAIN, { indirect: true })
    const chain = takeChain(device)
    expect(chain.ringCount).toBe(1)
    expect(chain.descriptors).toEqual(SEEN)
    device.use([chain], 1)
    const next = memory.allocate(1)
    expect(queue.take()).toEqual({ id: chain.id, written: 1, isSkipped: false })
    expect(memory.allocate(1)).toBeLessThan(next)
  })

  it('cuts buffers anywhere', () => {
    const { queue, device } = setUp(isPacked)
    queue.add({ readable: [], writable: [{ iova: 0x5000, byteLength: 10 }] }, { cut: [1, 7] })
    const { descriptors } = takeChain(device)
    expect(descriptors.map(({ addr, len }) => [addr, len])).toEqual([[0x5000, 1], [0x5001, 7], [0x5008, 1], [
      0x5009,
      1
    ]])
  })

  it('keeps a chain that is staged from the device, however many there are', () => {
    const { queue, device } = setUp(isPacked)
    queue.stage(CHAIN)
    queue.stage(CHAIN)
    expect(device.next()).toBeUndefined()
    queue.ring.publish()
    expect([device.next(), device.next(), device.next()].map(chain => chain?.ringCount)).toEqual([3, 3, undefined])
  })

  it('goes round and round, whatever the order in which chains come back', () => {
    const { queue, device } = setUp(isPacked)
    for (let round = 0; round < 50; round++) {
      const ids = [queue.add(CHAIN), queue.add(CHAIN)]
      const chains = [takeChain(device), takeChain(device)]
      device.use([chains[1]!], 7)
      device.use([chains[0]!], 0)
      expect([queue.take(), queue.take(), queue.take()]).toEqual([
        { id: ids[1], written: 7, isSkipped: false },
        { id: ids[0], written: 0, isSkipped: false },
        undefined
      ])
    }
  })

  it('refuses what does not fit, and takes it when there is room', async () => {
    const { queue, device } = setUp(isPacked)
    const first = [queue.submit(CHAIN), queue.submit(CHAIN)]
    const third = queue.submit(CHAIN)
    expect(() => queue.add(CHAIN)).toThrow('no room')
    expect(queue.pendingCount).toBe(2)
    device.use([takeChain(device)], 3)
    expect(queue.reap()).toBe(1)
    expect(await Promise.race(first)).toMatchObject({ written: 3 })
    await Promise.resolve()
    expect(queue.pendingCount).toBe(2)
    queue.abandon(new CommandAbandonedError('The test is over.'))
    await expect(third).rejects.toThrow(CommandAbandonedError)
    await expect(first[1]).rejects.toThrow(CommandAbandonedError)
  })

  it('tells the device of chains, but not of what it was told of already', async () => {
    const { queue, notifications } = setUp(isPacked)
    queue.add(CHAIN)
    await queue.kick()
    await queue.kick()
    expect(notifications).toEqual([isPacked ? 3 | 0x8000 : 1])
  })

  it('notes a buffer that the device does not have', () => {
    const { queue, device, anomalies } = setUp(isPacked)
    queue.add(CHAIN)
    const chain = takeChain(device)
    device.use([{ ...chain, id: 5 }], 0)
    expect(queue.reap()).toBe(0)
    expect(anomalies).toEqual(['Queue 0: Buffer 5 was given back, which the device does not have.'])
  })

  it('notes a device that says it wrote more than there is', () => {
    const { queue, device, anomalies } = setUp(isPacked)
    queue.add(CHAIN)
    device.use([takeChain(device)], 514)
    queue.reap()
    expect(anomalies).toEqual(['Queue 0: The device says that it wrote 514 of 513 bytes.'])
  })

  it('keeps what came back before anybody waits for it', async () => {
    const { queue, device } = setUp(isPacked)
    const id = queue.add(CHAIN)
    device.use([takeChain(device)], 9)
    queue.reap()
    expect(await queue.wait(id)).toMatchObject({ id, written: 9 })
  })

  it('gives chains back that the device skipped in order, as written all over', () => {
    const { queue, device } = setUp(isPacked, { isInOrder: true })
    const small = { readable: [{ iova: 0x1000, byteLength: 16 }], writable: [{ iova: 0x3000, byteLength: 20 }] }
    for (let round = 0; round < 9; round++) {
      const ids = [queue.add(small), queue.add(small), queue.add(small)]
      device.use([takeChain(device), takeChain(device), takeChain(device)], 4)
      expect([queue.take(), queue.take(), queue.take(), queue.take()]).toEqual([
        { id: ids[0], written: 20, isSkipped: true },
        { id: ids[1], written: 20, isSkipped: true },
        { id: ids[2], written: 4, isSkipped: false },
        undefined
      ])
    }
  })

  it('offers broken chains as they are', () => {
    const { queue, device } = setUp(isPacked)
    queue.addRaw([{ addr: 1, len: 2, flags: 3 }, { addr: 2 ** 63, len: 0xffff_ffff, flags: 0 }])
    expect(takeChain(device).descriptors).toEqual([
      { addr: 1, len: 2, isWritable: true },
      { addr: 2 ** 63, len: 0xffff_ffff, isWritable: false }
    ])
  })

  it('works on when its memory moves', () => {
    const { queue, device } = setUp(isPacked)
    queue.add(CHAIN)
    const region = memory.regions[0]!
    const file = memory.add({ iova: 0x100_0000, byteLength: 0x20_0000 }).file
    memory.relocate(region.iova, region.byteLength, [{ ...region, file, fileOffset: 0x4000 }])
    device.use([takeChain(device)], 2)
    expect(queue.take()).toMatchObject({ written: 2 })
  })
})

describe('a split queue', () => {
  it('starts in the ring and goes on in a table', () => {
    const { queue, device } = setUp(false)
    queue.add(CHAIN, { indirect: 1 })
    const chain = takeChain(device)
    expect(chain.ringCount).toBe(2)
    expect(chain.descriptors).toEqual(SEEN)
  })

  it('uses descriptors one after the other in order', () => {
    const { queue, device } = setUp(false, { isInOrder: true })
    const heads: number[] = []
    for (let round = 0; round < 5; round++) {
      queue.add(CHAIN)
      const chain = takeChain(device)
      heads.push(chain.id)
      device.use([chain], 0)
      queue.take()
    }
    expect(heads).toEqual([0, 3, 6, 1, 4])
  })

  it('wants the device told where its index passes the event', () => {
    const { queue } = setUp(false, { hasEventIndex: true })
    const { place } = queue.spec
    memory.locate(place.device, 4 + 8 * SIZE + 2).file.view.setUint16(
      memory.locate(place.device + 4 + 8 * SIZE, 2).position,
      1,
      true
    )
    queue.add({ readable: [{ iova: 0, byteLength: 1 }], writable: [] })
    expect(queue.ring.wantsNotification()).toBe(false)
    queue.add({ readable: [{ iova: 0, byteLength: 1 }], writable: [] })
    expect(queue.ring.wantsNotification()).toBe(true)
  })

  it('asks for an interrupt at the next chain, or for none', () => {
    const { queue } = setUp(false, { hasEventIndex: true })
    const event = () =>
      new DataView(memory.bytesAt(queue.spec.place.driver + 4 + 2 * SIZE, 2).buffer).getUint16(0, true)
    expect(event()).toBe(0x8000)
    queue.ring.allowInterrupts(true)
    expect(event()).toBe(0)
  })

  it('asks for no interrupt without event indexes', () => {
    const { queue } = setUp(false)
    expect(memory.bytesAt(queue.spec.place.driver, 2)).toEqual(Uint8Array.of(1, 0))
  })

  it('leads anywhere', () => {
    const { queue } = setUp(false)
    queue.addRaw([{ addr: 0, len: 1, flags: 1 }, { addr: 0, len: 1, flags: 1, next: 0 }, {
      addr: 0,
      len: 1,
      flags: 1,
      next: 777
    }])
    const nexts = [0, 1, 2].map(index =>
      new DataView(memory.bytesAt(queue.spec.place.descriptors + 16 * index + 14, 2).buffer).getUint16(0, true)
    )
    expect(nexts).toEqual([1, 0, 777])
  })
})

describe('a packed queue', () => {
  it('wants the device told where it passes the event, in the right round', () => {
    const { queue, device } = setUp(true, { hasEventIndex: true })
    const { file, position } = memory.locate(queue.spec.place.device, 4)
    const one = { readable: [{ iova: 0, byteLength: 1 }], writable: [] }
    const step = () => {
      queue.add(one)
      device.use([takeChain(device)], 0)
      queue.take()
      return queue.ring.wantsNotification()
    }
    file.view.setUint16(position + 2, 2, true)
    file.view.setUint16(position, 1 | 0x8000, true)
    expect([step(), step(), step()]).toEqual([false, true, false])
    file.view.setUint16(position, 1, true)
    expect(Array.from({ length: 9 }, step)).toEqual([false, false, false, false, false, false, true, false, false])
  })

  it('asks for interrupts as the features have it', () => {
    const plain = setUp(true).queue
    const indexed = setUp(true, { hasEventIndex: true }).queue
    const words = (queue: Virtqueue) => Array.from(memory.bytesAt(queue.spec.place.driver, 4))
    expect(words(plain)).toEqual([0, 0, 1, 0])
    plain.ring.allowInterrupts(true)
    indexed.ring.allowInterrupts(true)
    expect([words(plain), words(indexed)]).toEqual([[0, 0, 0, 0], [0, 0x80, 2, 0]])
  })
})
