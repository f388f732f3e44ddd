import { FaultPolicy } from '@pcikit/core'
import { GuestFile } from '@pcikit/testkit'
import type { GuestRegion, Virtqueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { echo, Harness, PAGE, turns, until } from './harness.js'
import type { HarnessOptions, QueueOptions } from './harness.js'

const DATA = 0x100_0000
const TABLE = 0x20_0000
/** A page for each part of a queue, and a region for each page. */
const PARTS = { descriptors: 0x1_0000, driver: 0x2_0000, device: 0x3_0000 }

let harness: Harness
const files: GuestFile[] = []

afterEach(async () => {
  await harness.close()
  for (const file of files.splice(0)) file.close()
})

function regionAt (iova: number): GuestRegion {
  return harness.memory.regions.find(region => region.iova === iova)!
}

async function setUp (options: HarnessOptions, queue: QueueOptions, shared = true): Promise<Virtqueue> {
  const pages = [...Object.values(PARTS), TABLE].map(iova => ({ iova, byteLength: PAGE, shared }))
  harness = await Harness.create({ regions: [...pages, { iova: DATA, byteLength: 0x10_0000 }], ...options })
  for (const iova of [...Object.values(PARTS), TABLE]) harness.memory.reserve(iova, PAGE)
  return harness.startQueue({ size: 8, place: PARTS, vector: 0, ...queue })
}

function add (queue: Virtqueue): { readonly id: number, readonly iova: number } {
  const readable = harness.buffer(Uint8Array.of(1, 2, 3))
  const writable = harness.space(3)
  return { id: queue.add({ readable: [readable], writable: [writable] }), iova: writable.iova }
}

/** Moves a region to another file, and leaves a pattern behind. */
async function move (iova: number, shared = true): Promise<{ readonly isUntouched: boolean }> {
  const file = GuestFile.create(4 * PAGE)
  files.push(file)
  const region = regionAt(iova) as { shared: boolean }
  region.shared = shared
  return harness.memory.move(harness.client, regionAt(iova), 2 * PAGE, file)
}

const formats = [false, true].flatMap(isPacked => [false, true].map(hasEventIndex => ({ isPacked, hasEventIndex })))

describe.each(formats)('a queue (packed: $isPacked, event index: $hasEventIndex)', options => {
  it.each(Object.entries(PARTS))('goes on when its %s move', async (_, iova) => {
    const queue = await setUp({ take: echo }, options)
    for (let round = 0; round < 20; round++) {
      const { id, iova: answer } = add(queue)
      await queue.kick()
      await until(() => queue.reap() > 0)
      expect(await queue.wait(id)).toMatchObject({ id, written: 3 })
      expect([...harness.memory.bytesAt(answer, 3)]).toEqual([2, 3, 4])
      const left = await move(iova)
      await turns(round % 3)
      expect(left.isUntouched).toBe(true)
    }
    expect(harness.takenCount).toBe(20)
  })

  // Without the driver area of a packed queue nothing is amiss: it only says what the driver need not be told.
  it.each(Object.entries(PARTS).slice(0, options.isPacked ? 1 : 3))(
    'waits for its %s, and loses nothing',
    async (_, iova) => {
      const queue = await setUp({ take: echo }, options)
      await harness.memory.unmap(harness.client, [regionAt(iova)])
      const ids = [add(queue).id, add(queue).id]
      await queue.notify()
      await turns()
      expect(queue.reap()).toBe(0)
      await harness.memory.map(harness.client, [regionAt(iova)])
      await until(() => queue.reap() > 0)
      expect((await Promise.all(ids.map(id => queue.wait(id)))).map(({ id }) => id)).toEqual(ids)
      expect([harness.takenCount, harness.broken, queue.pendingCount]).toEqual([2, [], 0])
    }
  )

  it.each(Object.entries(PARTS))('tells of what was done while its %s were away', async (_, iova) => {
    const queue = await setUp({}, options)
    const ids = [add(queue).id, add(queue).id, add(queue).id]
    await queue.kick()
    await until(() => harness.taken.length === 3)
    await harness.memory.unmap(harness.client, [regionAt(iova)])
    harness.complete(1, 3)
    await turns()
    harness.complete(1, 2)
    await turns()
    await harness.memory.map(harness.client, [regionAt(iova)])
    harness.complete(0, 1)
    const used: { id: number, written: number }[] = []
    await until(() => {
      for (let each = queue.take(); each !== undefined; each = queue.take()) used.push(each)
      return used.length === 3
    })
    await turns()
    expect(used.map(({ id, written }) => [id, written])).toEqual([[ids[1], 3], [ids[2], 2], [ids[0], 1]])
    expect(harness.interrupts.length).toBeGreaterThan(0)
  })

  it('asks for notifications anew where its memory comes back as it once was', async () => {
    const queue = await setUp({ take: echo }, options)
    const old = harness.memory.bytesAt(PARTS.device, PAGE)
    for (let round = 0; round < 3; round++) {
      add(queue)
      await queue.kick()
      await until(() => queue.reap() > 0)
    }
    await turns()
    await harness.memory.unmap(harness.client, [regionAt(PARTS.device)])
    harness.memory.store(PARTS.device, options.isPacked ? Uint8Array.of(0, 0, 1, 0) : old)
    await harness.memory.map(harness.client, [regionAt(PARTS.device)])
    await turns()
    queue.ring.wantsNotification()
    add(queue)
    expect(queue.ring.wantsNotification()).toBe(true)
  })

  it('waits while bus mastering is off, however long', async () => {
    const queue = await setUp({ take: echo, graceMs: 1 }, options)
    harness.dma.setBusMaster(false)
    const { id } = add(queue)
    await queue.notify()
    const ended = performance.now() + 20
    await until(() => performance.now() > ended)
    harness.dma.setBusMaster(true)
    await until(() => queue.reap() > 0)
    expect(await queue.wait(id)).toMatchObject({ id, written: 3 })
    expect(harness.broken).toEqual([])
  })

  it('is reached by message, where the client does not share it', async () => {
    const queue = await setUp({ take: echo }, options, false)
    for (let round = 0; round < 20; round++) {
      const { id, iova } = add(queue)
      await queue.kick()
      await until(() => queue.reap() > 0)
      expect(await queue.wait(id)).toMatchObject({ id, written: 3 })
      expect([...harness.memory.bytesAt(iova, 3)]).toEqual([2, 3, 4])
    }
    expect(harness.messages.length).toBeGreaterThan(20)
    await turns(20)
    expect(harness.broken).toEqual([])
    expect(harness.interrupts.length).toBe(20)
  })

  it('has several buffers at a time by message, in order or not, in tables or not', async () => {
    for (const isInOrder of [false, true]) {
      const queue = await setUp({ take: echo }, { ...options, isInOrder }, false)
      for (let round = 0; round < 6; round++) {
        const buffers = [1, 2, 3].map(byte => ({ sent: harness.buffer(Uint8Array.of(byte)), got: harness.space(1) }))
        for (const { sent, got } of buffers) {
          queue.stage({ readable: [sent], writable: [got] }, { indirect: round % 2 === 0 })
        }
        queue.ring.publish()
        await queue.kick()
        let count = 0
        await until(() => {
          while (queue.take() !== undefined) count++
          return count === 3
        })
        expect(buffers.map(({ got }) => harness.memory.bytesAt(got.iova, 1)[0])).toEqual([2, 3, 4])
      }
      expect([harness.takenCount, harness.broken]).toEqual([18, []])
      await harness.close()
    }
    await setUp({}, options)
  })

  it('asks for no interrupt by message where the driver wants none', async () => {
    const queue = await setUp({ take: echo }, { ...options, vector: undefined }, false)
    add(queue)
    await queue.kick()
    await until(() => queue.take() !== undefined)
    await turns(50)
    expect(harness.interrupts).toEqual([])
  })

  it('is not reached any more after a reset, whatever a message still brings', async () => {
    const queue = await setUp({ take: echo }, options, false)
    let release = (): void => undefined
    harness.answers = new Promise(resolve => (release = resolve))
    add(queue)
    await queue.notify()
    await turns()
    harness.engine.reset()
    release()
    await turns(20)
    const { length } = harness.messages
    await turns(20)
    expect([harness.takenCount, harness.messages.length]).toEqual([0, length])
  })

  it('goes from messages to shared memory and back', async () => {
    const queue = await setUp({ take: echo }, options, false)
    for (let round = 0; round < 12; round++) {
      const { id } = add(queue)
      await queue.kick()
      if (round % 2 === 0) await turns(round)
      for (const iova of Object.values(PARTS)) {
        const region = regionAt(iova) as { shared: boolean }
        await harness.memory.unmap(harness.client, [regionAt(iova)])
        region.shared = !region.shared
        await harness.memory.map(harness.client, [regionAt(iova)])
      }
      await until(() => queue.reap() > 0)
      expect(await queue.wait(id)).toMatchObject({ id, written: 3 })
    }
    expect([harness.takenCount, harness.broken]).toEqual([12, []])
  })
})

/** Unmaps a region as soon as a message to it that a test chooses was answered, before the answer is looked at. */
function unmapAfter (iova: number, isLast: (at: number, bytes: Uint8Array) => boolean): { readonly words: number[] } {
  const { memory, client } = harness
  const seen = { words: [] as number[] }
  let isOver = false
  harness.dma.setPort({
    transferBytesMax: 0x1_0000,
    read: async (at, target) => void memory.read(at, target),
    write: async (at, source) => {
      memory.store(at, source)
      if (at === iova) seen.words.push(source[2]! | source[3]! << 8)
      if (isOver || !isLast(at, source)) return
      isOver = true
      void memory.unmap(client, [regionAt(iova)])
    }
  })
  return seen
}

describe('a run whose last message is answered as its memory goes', () => {
  it.each([false, true])('is told once by the index of a split queue (event index: %s)', async hasEventIndex => {
    const queue = await setUp({}, { hasEventIndex })
    await move(PARTS.device, false)
    const ids = [add(queue).id, add(queue).id]
    await queue.kick()
    await until(() => harness.taken.length === 2)
    await turns()
    const { words } = unmapAfter(PARTS.device, (at, bytes) => at === PARTS.device && bytes[2] === 2)
    const [first, second] = harness.taken.splice(0)
    first!.complete(3)
    second!.complete(3)
    await until(() => harness.dma.regionCount === 4)
    await turns()
    expect([queue.take()?.id, queue.take()?.id]).toEqual(ids)
    ids.push(add(queue).id)
    await harness.memory.map(harness.client, [regionAt(PARTS.device)])
    await queue.notify()
    await until(() => harness.taken.length === 1)
    harness.complete(0, 3)
    await until(() => words.at(-1) === 3)
    await turns()
    expect(words).toEqual(words.toSorted((left, right) => left - right))
    expect([queue.take()?.id, queue.take()]).toEqual([ids[2], undefined])
  })

  it.each([false, true])(
    'leaves a packed ring alone that the driver filled again (event index: %s)',
    async hasEventIndex => {
      const queue = await setUp({}, { isPacked: true, hasEventIndex }, false)
      const fill = (count: number) => Array.from({ length: count }, () => add(queue).id)
      fill(4)
      await queue.kick()
      await until(() => harness.taken.length === 4)
      await turns()
      // The flags of the first of the run: USED is 1 in the first lap.
      unmapAfter(PARTS.descriptors, (at, bytes) => at === PARTS.descriptors + 12 && (bytes[3]! & 0x80) !== 0)
      for (const chain of harness.taken.splice(0)) chain.complete(3)
      await until(() => harness.dma.regionCount === 4)
      await turns()
      for (let each = 0; each < 4; each++) expect(queue.take()).toBeDefined()
      fill(4)
      await harness.memory.map(harness.client, [regionAt(PARTS.descriptors)])
      await queue.notify()
      await until(() => harness.taken.length === 4)
      for (const chain of harness.taken.splice(0)) chain.complete(3)
      let count = 0
      await until(() => {
        while (queue.take() !== undefined) count++
        return count === 4
      })
    }
  )
})

describe('an indirect table', () => {
  it.each([false, true])('that is away is waited for (packed: %s)', async isPacked => {
    const queue = await setUp({ take: echo }, { isPacked })
    await harness.memory.unmap(harness.client, [regionAt(TABLE)])
    harness.memory.store(TABLE, new Uint8Array(Uint32Array.of(DATA + 0x8_0000, 0, 1, 0).buffer))
    const id = queue.addRaw([{ addr: TABLE, len: 16, flags: 4 }])
    await queue.notify()
    await turns()
    expect(harness.takenCount).toBe(0)
    await harness.memory.map(harness.client, [regionAt(TABLE)])
    await until(() => harness.takenCount === 1)
    await turns()
    expect(queue.take()?.id).toBe(id)
  })

  it.each([false, true])('of another chain at the same place is read anew (packed: %s)', async isPacked => {
    const queue = await setUp({}, { isPacked }, false)
    for (const byteLength of [5, 6]) {
      harness.memory.store(TABLE, new Uint8Array(Uint32Array.of(DATA, 0, byteLength, 0).buffer))
      queue.addRaw([{ addr: TABLE, len: 16, flags: 4 }])
      await queue.notify()
      await until(() => harness.taken.length > 0)
      expect(harness.taken[0]?.readable.byteLength).toBe(byteLength)
      harness.complete()
      await until(() => queue.take() !== undefined)
    }
  })
})

describe('memory of a ring that is away', () => {
  async function lose (options: HarnessOptions): Promise<void> {
    const queue = await setUp(options, {})
    await harness.memory.unmap(harness.client, [regionAt(PARTS.driver)])
    await queue.notify()
    await turns()
  }

  it('is an error once the grace time is over', async () => {
    await lose({ graceMs: 10 })
    expect(harness.broken).toEqual([])
    await until(() => harness.broken.length > 0)
    expect(harness.broken).toEqual(['Queue 0: its memory is away (UNMAPPED).'])
  })

  it('is an error at once with fault policy fatal', async () => {
    await lose({ faultPolicy: FaultPolicy.FATAL })
    expect(harness.broken.length).toBe(1)
  })

  it('is waited for as long as it takes with fault policy drop', async () => {
    await lose({ faultPolicy: FaultPolicy.DROP, graceMs: 1 })
    const ended = performance.now() + 20
    await until(() => performance.now() > ended)
    expect(harness.broken).toEqual([])
  })

  it('is an error where the client refuses it', async () => {
    const queue = await setUp({ graceMs: 10 }, {}, false)
    harness.dma.setPort(undefined)
    await queue.notify()
    await until(() => harness.broken.length > 0)
    expect(harness.broken).toEqual(['Queue 0: its memory is away (PEER_FAILED).'])
  })

  it('is no error once it is back', async () => {
    await lose({ graceMs: 10 })
    await harness.memory.map(harness.client, [regionAt(PARTS.driver)])
    const ended = performance.now() + 30
    await until(() => performance.now() > ended)
    expect(harness.broken).toEqual([])
  })
})

describe('rings in odd places', () => {
  const odd = { descriptors: 0x10_1003, driver: 0x10_2001, device: 0x10_3005 }
  const half = { descriptors: 0x10_1000, driver: 0x10_2002, device: 0x10_3000 }

  it.each([odd, half])('are served all the same: %j', async place => {
    harness = await Harness.create({ take: echo })
    harness.memory.reserve(0x10_1000, 0x3000)
    const queue = harness.startQueue({ place, size: 8, hasEventIndex: true })
    for (let round = 0; round < 30; round++) {
      const { iova } = storeOdd(queue, round)
      await queue.notify()
      await until(() => loadHalf(place.device + 2) === round + 1)
      expect([...harness.memory.bytesAt(iova, 1)]).toEqual([round + 1])
    }
    expect(harness.broken).toEqual([])
  })

  /** The driver of the tests stores words where they are aligned. This one stores bytes. */
  function storeOdd ({ spec: { place } }: Virtqueue, round: number): { readonly iova: number } {
    const sent = harness.buffer(Uint8Array.of(round))
    const got = harness.space(1)
    const bytes = new DataView(new ArrayBuffer(32))
    bytes.setUint32(0, sent.iova, true)
    bytes.setUint32(8, 1, true)
    bytes.setUint16(12, 1, true)
    bytes.setUint16(14, 1, true)
    bytes.setUint32(16, got.iova, true)
    bytes.setUint32(24, 1, true)
    bytes.setUint16(28, 2, true)
    harness.memory.store(place.descriptors, new Uint8Array(bytes.buffer))
    harness.memory.store(place.driver + 4 + 2 * (round % 8), Uint8Array.of(0, 0))
    harness.memory.store(place.driver + 2, Uint8Array.of(round + 1, 0))
    return got
  }

  function loadHalf (iova: number): number {
    const [low, high] = harness.memory.bytesAt(iova, 2)
    return low! | high! << 8
  }

  it('a used element may be in two regions', async () => {
    // Elements are at 4 + 8 n, so one of them begins four bytes before the next page.
    const regions = [0x10_0000, 0x10_1000].map(iova => ({ iova, byteLength: PAGE }))
    harness = await Harness.create({ take: echo, regions: [...regions, { iova: DATA, byteLength: 0x10_0000 }] })
    harness.memory.reserve(0x10_0000, 2 * PAGE)
    const place = { descriptors: DATA, driver: DATA + PAGE, device: 0x10_1000 - 8 - 4 * 8 }
    harness.memory.reserve(DATA, 2 * PAGE)
    const queue = harness.startQueue({ place, size: 8 })
    for (let round = 0; round < 12; round++) {
      const { id } = add(queue)
      await queue.kick()
      await until(() => queue.reap() > 0)
      expect(await queue.wait(id)).toMatchObject({ id, written: 3 })
    }
    expect(harness.messages).toEqual([])
  })
})
