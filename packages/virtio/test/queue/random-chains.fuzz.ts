import { firstDifference, GuestFile, pattern } from '@pcikit/testkit'
import type { ChainFraming, Virtqueue } from '@pcikit/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { VirtqueueChain } from '../../src/chain.js'
import { Harness, turns, until } from './harness.js'

const seed = process.env.SEED === undefined ? Date.now() : Number(process.env.SEED)
const budget = { seed, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 10_000), numRuns: 100_000 }

/** The rings are in a region of their own, so that they can move. */
const RINGS = 0x10_0000
const RING_BYTES = 0x4000
const DATA = 0x100_0000

const byteLength = fc.oneof(
  { weight: 5, arbitrary: fc.nat({ max: 40 }) },
  { weight: 1, arbitrary: fc.nat({ max: 9000 }) }
)
const framing = fc.record({
  cut: fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 500, max: 5000 })), { maxLength: 4 }),
  indirect: fc.oneof(fc.constant(false), fc.constant(true), fc.integer({ min: 1, max: 3 }))
})
/** A buffer to offer, or something else that happens. */
const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('offer' as const), readable: byteLength, writable: byteLength, framing })
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('complete' as const), at: fc.nat({ max: 100 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reap' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('master' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('notify' as const) }) }
)
const setting = fc.record({
  isPacked: fc.boolean(),
  hasEventIndex: fc.boolean(),
  isInOrder: fc.boolean(),
  isShared: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  isPolled: fc.boolean(),
  isWatched: fc.boolean(),
  size: fc.constantFrom(4, 8, 64),
  steps: fc.array(step, { maxLength: 120, size: 'max' })
})

interface Offer {
  readonly id: number
  readonly sent: Uint8Array
  readonly writable: { readonly iova: number, readonly byteLength: number }
}

/** A guest, and a device that keeps chains until it is told to complete them. */
class Scene {
  readonly harness: Harness
  readonly queue: Virtqueue
  /** What the device has, by the number that the buffer begins with. */
  readonly offers = new Map<number, Offer>()
  /** What the driver is to be told that the device wrote, by ID. */
  readonly written = new Map<number, number>()
  usedCount = 0
  #files: GuestFile[] = []
  #count = 0
  readonly #isPolled: boolean

  private constructor (harness: Harness, queue: Virtqueue, isPolled: boolean) {
    this.harness = harness
    this.queue = queue
    this.#isPolled = isPolled
  }

  static async create (options: typeof setting extends fc.Arbitrary<infer T> ? T : never): Promise<Scene> {
    const { isShared, isPolled, isWatched, size } = options
    const harness = await Harness.create({
      entriesMax: 1024,
      regions: [{ iova: RINGS, byteLength: RING_BYTES, shared: isShared }, { iova: DATA, byteLength: 0x40_0000 }],
      moderatesInterrupts: isWatched,
      times: { ...isPolled && { doorbells: 'mmap' }, watchUs: isWatched ? 500 : 0 }
    })
    harness.memory.reserve(RINGS, RING_BYTES)
    const place = { descriptors: RINGS, driver: RINGS + 0x1000, device: RINGS + 0x2000 }
    return new Scene(harness, harness.startQueue({ ...options, size, place, vector: 0 }), isPolled)
  }

  async offer (readableBytes: number, writableBytes: number, { cut, indirect = false }: ChainFraming): Promise<void> {
    const { harness, queue } = this
    const number = ++this.#count
    const sent = pattern(readableBytes + 4, number)
    new DataView(sent.buffer).setUint32(0, number, true)
    const readable = harness.buffer(sent)
    const writable = harness.space(writableBytes)
    const isTable = indirect === true || (indirect !== false && !queue.spec.isPacked)
    let id = 0
    try {
      id = queue.add({ readable: [readable], writable: writableBytes === 0 ? [] : [writable] }, {
        ...cut !== undefined &&
          { cut: readableBytes + writableBytes > 400 ? [...cut.filter(each => each > 200), 512] : cut },
        indirect: isTable ? indirect : false
      })
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError)
      return
    }
    this.offers.set(number, { id, sent, writable })
    if (!this.#isPolled) await queue.kick()
  }

  /** Checks what a chain says, and answers with the same number of other bytes. */
  async complete (at: number): Promise<void> {
    const { taken } = this.harness
    if (taken.length === 0) return
    const chain = taken.splice(at % taken.length, 1)[0]!
    const received = new Uint8Array(chain.readable.byteLength)
    if (await chain.readable.read(0, received) !== 0) {
      taken.push(chain)
      return
    }
    const number = new DataView(received.buffer).getUint32(0, true)
    expect(firstDifference(received, this.offers.get(number)!.sent)).toBe(-1)
    expect(await this.#fill(chain, number)).toBe(0)
  }

  async #fill (chain: VirtqueueChain, number: number): Promise<number> {
    const { byteLength: length } = chain.writable
    const written = number % 3 === 0 ? length : number % (length + 1)
    const fault = await chain.writable.write(0, pattern(written, number + 1))
    expect(length).toBe(this.offers.get(number)!.writable.byteLength)
    this.#verify(number, written)
    chain.complete(written)
    return fault
  }

  #verify (number: number, written: number): void {
    const { id, writable } = this.offers.get(number)!
    this.written.set(id, written)
    const bytes = this.harness.memory.bytesAt(writable.iova, written)
    expect(firstDifference(bytes, pattern(written, number + 1))).toBe(-1)
    this.offers.delete(number)
  }

  reap (): void {
    for (let used = this.queue.take(); used !== undefined; used = this.queue.take()) {
      expect(used.written).toBe(this.written.get(used.id))
      this.written.delete(used.id)
      this.usedCount++
    }
  }

  async move (): Promise<void> {
    const { memory, client } = this.harness
    const file = GuestFile.create(RING_BYTES * 2)
    this.#files.push(file)
    const region = memory.regions.find(({ iova }) => iova === RINGS)!
    const left = await memory.move(client, region, RING_BYTES, file)
    await turns(2)
    expect(left.isUntouched).toBe(true)
  }

  async toggleMaster (): Promise<void> {
    this.harness.dma.setBusMaster(false)
    await turns(2)
    this.harness.dma.setBusMaster(true)
  }

  /** Everything comes back, each buffer once. */
  async finish (): Promise<void> {
    await until(() => this.harness.taken.length === this.offers.size)
    while (this.harness.taken.length > 0) await this.complete(0)
    await until(() => {
      this.reap()
      return this.queue.ring.pendingCount === 0
    })
    await turns(20)
    expect([this.queue.take(), this.harness.broken, this.offers.size]).toEqual([undefined, [], 0])
    expect(this.usedCount).toBe(this.harness.takenCount)
  }

  async close (): Promise<void> {
    await this.harness.close()
    for (const file of this.#files) file.close()
  }
}

it('every buffer arrives as it was sent and comes back once, whatever happens meanwhile', async () => {
  const property = fc.asyncProperty(setting, async options => {
    const scene = await Scene.create(options)
    try {
      for (const each of options.steps) {
        if (each.kind === 'offer') await scene.offer(each.readable, each.writable, each.framing)
        else if (each.kind === 'complete') await scene.complete(each.at)
        else if (each.kind === 'wait') await turns(each.turns)
        else if (each.kind === 'reap') scene.reap()
        else if (each.kind === 'move') await scene.move()
        else if (each.kind === 'master') await scene.toggleMaster()
        else await scene.queue.notify()
      }
      await scene.finish()
    } finally {
      await scene.close()
    }
  })
  await fc.assert(property, budget)
})

it('a driver that writes anything anywhere is told so, and nothing else', async () => {
  const words = fc.array(fc.oneof(fc.nat({ max: 9 }), fc.nat({ max: 0xffff_ffff })), { maxLength: 24 })
  const property = fc.asyncProperty(setting, fc.array(words, { maxLength: 20 }), async (options, writes) => {
    const scene = await Scene.create(options)
    const { harness } = scene
    try {
      for (const [index, write] of writes.entries()) {
        harness.memory.store(RINGS + 0x1000 * (index % 2), new Uint8Array(Uint32Array.from(write).buffer))
        harness.engine.notify(0)
        await turns(2)
        for (const chain of harness.taken.splice(0)) {
          await chain.readable.read(0, new Uint8Array(Math.min(chain.readable.byteLength, 64)))
          chain.complete(Math.min(chain.writable.byteLength, index))
        }
      }
      expect(harness.broken).not.toContain('The device failed.')
    } finally {
      await scene.close()
    }
  })
  await fc.assert(property, budget)
})
