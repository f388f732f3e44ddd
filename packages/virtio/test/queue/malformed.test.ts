import { DescriptorFlag } from '@pcikit/testkit'
import type { RawDescriptor, Virtqueue } from '@pcikit/testkit'
import { storePacked, storeSplit } from '../../../testkit/src/virtio/descriptor.js'
import { afterEach, describe, expect, it } from 'vitest'
import { Harness, turns } from './harness.js'
import type { QueueOptions } from './harness.js'

const { NEXT, WRITE, INDIRECT, AVAIL } = DescriptorFlag
const DATA = 0x10_0000

let harness: Harness

afterEach(() => harness.close())

/** What is said of a queue after `act`, with what came through. */
async function complain (options: QueueOptions, act: (queue: Virtqueue) => void): Promise<string> {
  harness = await Harness.create({ entriesMax: 32 })
  const queue = harness.startQueue(options)
  act(queue)
  await queue.notify()
  await turns()
  expect(harness.takenCount).toBe(0)
  expect(harness.broken.length).toBe(1)
  return harness.broken[0]!
}

function chain (...descriptors: Partial<RawDescriptor>[]): (queue: Virtqueue) => void {
  return queue => void queue.addRaw(descriptors.map(each => ({ addr: DATA, len: 16, flags: 0, ...each })))
}

/** A table of descriptors, at `iova`, and a chain that uses it. */
function table (byteLength: number, ...descriptors: (Partial<RawDescriptor> & { next?: number })[]) {
  return (queue: Virtqueue): void => {
    const iova = harness.memory.allocate(4096)
    descriptors.forEach((each, index) => {
      const fields = { addr: DATA, len: 16, flags: 0, ...each }
      const at = iova + index * 16
      if (!queue.spec.isPacked) return storeSplit(harness.memory, at, { next: index + 1, ...fields })
      const word = storePacked(harness.memory, at, { id: 0, ...fields })
      harness.memory.store(at + 12, new Uint8Array(Uint32Array.of(word).buffer))
    })
    queue.addRaw([{ addr: iova, len: byteLength, flags: INDIRECT }])
  }
}

const both = [{ isPacked: false }, { isPacked: true }]

describe.each(both)('any queue (packed: $isPacked)', ({ isPacked }) => {
  const options = { isPacked, size: 8 }

  it('refuses a descriptor for reading after one for writing', async () => {
    const reason = await complain(options, chain({ flags: WRITE | NEXT }, { flags: 0 }))
    expect(reason).toBe('Queue 0, head 0: a descriptor for reading comes after one for writing')
  })

  it('refuses the same in a table', async () => {
    const reason = await complain(options, table(32, { flags: WRITE | NEXT }, { flags: 0 }))
    expect(reason).toBe('Queue 0, head 0: a descriptor for reading comes after one for writing')
  })

  it('refuses a table that was not negotiated', async () => {
    const reason = await complain({ ...options, hasIndirect: false }, table(16, {}))
    expect(reason).toBe('Queue 0, head 0: a descriptor is indirect, which was not negotiated')
  })

  it.each([0, 8, 24])('refuses a table of %i bytes', async byteLength => {
    const reason = await complain(options, table(byteLength, {}, {}))
    expect(reason).toBe(`Queue 0, head 0: a table of ${byteLength} bytes is not made of whole descriptors`)
  })

  it('refuses a chain in a table that is longer than the queue may be', async () => {
    const long = Array.from({ length: 33 }, () => ({ flags: NEXT }))
    const reason = await complain(options, table(33 * 16, ...long))
    expect(reason).toBe('Queue 0, head 0: the chain is longer than the queue can have entries, 32')
  })

  it('refuses a table beyond all addresses', async () => {
    const reason = await complain(options, chain({ addr: 2 ** 53, flags: INDIRECT }))
    expect(reason).toBe('Queue 0, head 0: its table does not end below 2^53')
  })

  it('serves nothing until a reset', async () => {
    await complain(options, chain({ flags: WRITE | NEXT }, { flags: 0 }))
    harness.engine.notify(0)
    await turns()
    expect(harness.broken.length).toBe(1)
    harness.engine.reset()
    const queue = harness.startQueue(options)
    queue.add({ readable: [{ iova: DATA, byteLength: 1 }], writable: [] })
    await queue.kick()
    await turns()
    expect(harness.taken.length).toBe(1)
  })
})

describe('a split queue', () => {
  it('refuses a loop', async () => {
    const reason = await complain({ size: 8 }, chain({ flags: NEXT }, { flags: NEXT, next: 0 }))
    expect(reason).toBe('Queue 0, head 0: the chain is longer than the queue, which has 8 entries: it loops')
  })

  it('refuses a loop in a table', async () => {
    const reason = await complain({ size: 8 }, table(32, { flags: NEXT }, { flags: NEXT, next: 0 }))
    expect(reason).toBe('Queue 0, head 0: the chain is longer than the queue can have entries, 32')
  })

  it('refuses a descriptor that leads out of the table', async () => {
    const reason = await complain({ size: 8 }, chain({ flags: NEXT, next: 99 }, {}))
    expect(reason).toBe("Queue 0, head 0: descriptor 99 is not one of the table's 8")
  })

  it('refuses one that leads out of an indirect table', async () => {
    const reason = await complain({ size: 8 }, table(32, { flags: NEXT, next: 2 }, {}))
    expect(reason).toBe('Queue 0, head 0: descriptor 2 is not one of the 2 of its table')
  })

  it('refuses a head that is not there', async () => {
    const reason = await complain({ size: 8 }, queue => queue.split.offerHead(8))
    expect(reason).toBe("Queue 0, head 8: descriptor 8 is not one of the table's 8")
  })

  it('refuses a table in a table', async () => {
    const reason = await complain({ size: 8 }, table(32, { flags: NEXT }, { flags: INDIRECT }))
    expect(reason).toBe('Queue 0, head 0: a descriptor of a table is indirect itself')
  })

  it('refuses a descriptor that is indirect and not the last', async () => {
    const reason = await complain({ size: 8 }, chain({ flags: INDIRECT | NEXT }, {}))
    expect(reason).toBe('Queue 0, head 0: a descriptor is indirect and has a next one')
  })

  it('refuses an available index that is further ahead than the ring is long', async () => {
    const reason = await complain({ size: 8 }, queue => queue.split.setIndex(9))
    expect(reason).toBe('Queue 0, the available index 9 is 9 ahead in a ring of 8 entries')
  })

  it('refuses an available index that went back', async () => {
    const reason = await complain({ size: 8 }, queue => queue.split.setIndex(0xffff))
    expect(reason).toBe('Queue 0, the available index 65535 is 65535 ahead in a ring of 8 entries')
  })

  it('refuses more buffers than it has entries', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue({ size: 8 })
    for (let index = 0; index < 8; index++) queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await turns()
    queue.split.offerHead(0)
    await queue.notify()
    await turns()
    expect(harness.takenCount).toBe(8)
    expect(harness.broken).toEqual(['Queue 0, more buffers are available than its 8 entries'])
  })

  it('finds its way in a table that is used in any order', async () => {
    harness = await Harness.create({ entriesMax: 32 })
    const queue = harness.startQueue({ size: 8 })
    const sparse = Array.from({ length: 60 }, () => ({ flags: 0 }))
    table(60 * 16, { len: 1, flags: NEXT, next: 50 }, { len: 8 }, ...sparse.slice(2, 50), {
      len: 2,
      flags: NEXT,
      next: 1
    })(queue)
    await queue.kick()
    await turns()
    expect(harness.taken[0]?.readable.byteLength).toBe(11)
  })
})

describe('a packed queue', () => {
  it.each(['first', 'last'])('refuses a list whose %s one is indirect', async place => {
    const flags = place === 'first' ? [INDIRECT | NEXT, 0] : [NEXT, INDIRECT]
    const reason = await complain({ isPacked: true, size: 8 }, chain(...flags.map(each => ({ flags: each }))))
    expect(reason).toBe('Queue 0, head 0: a descriptor of a list is indirect')
  })

  it('refuses a list without an end', async () => {
    const reason = await complain(
      { isPacked: true, size: 4 },
      chain(...Array.from({ length: 4 }, () => ({ flags: NEXT })))
    )
    expect(reason).toBe(
      'Queue 0, head 0: more than the 4 descriptors of the queue are available: a list has no end'
    )
  })

  it('refuses what is available where a taken one is', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue({ isPacked: true, size: 4 })
    for (let index = 0; index < 4; index++) queue.add({ readable: [harness.space(1)], writable: [] })
    await queue.kick()
    await turns()
    queue.packed.writeDescriptor(0, { addr: DATA, len: 1, flags: AVAIL << 8, id: 0 })
    await queue.notify()
    await turns()
    expect(harness.takenCount).toBe(4)
    expect(harness.broken).toEqual([
      'Queue 0, head 0: more than the 4 descriptors of the queue are available: a list has no end'
    ])
  })

  it('ignores what is reserved in a table', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue({ isPacked: true })
    table(32, { flags: INDIRECT | NEXT, len: 3 }, { flags: WRITE, len: 4 })(queue)
    await queue.kick()
    await turns()
    expect([harness.taken[0]?.readable.byteLength, harness.taken[0]?.writable.byteLength]).toEqual([3, 4])
  })
})
