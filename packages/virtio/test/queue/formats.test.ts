import { pattern } from '@pcikit/testkit'
import type { ChainFraming, Virtqueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { echo, Harness, turns, until } from './harness.js'

let harness: Harness

afterEach(() => harness.close())

/** Sends one buffer of so many bytes, and expects it back, each byte plus one. */
async function expectEcho (queue: Virtqueue, byteLength: number, framing: ChainFraming, seed: number): Promise<void> {
  const sent = pattern(byteLength, seed)
  const readable = harness.buffer(sent)
  const writable = harness.space(byteLength)
  const id = queue.add({ readable: [readable], writable: [writable] }, framing)
  await queue.kick()
  let used = queue.take()
  await until(() => (used ??= queue.take()) !== undefined)
  expect(used).toMatchObject({ id, written: byteLength })
  expect(harness.memory.bytesAt(writable.iova, byteLength)).toEqual(sent.map(byte => byte + 1))
  harness.memory.free(readable.iova)
  harness.memory.free(writable.iova)
}

const formats = [false, true].flatMap(isPacked =>
  [false, true].flatMap(hasEventIndex =>
    [false, true].map(isInOrder => ({
      isPacked,
      hasEventIndex,
      isInOrder,
      name: `a ${isPacked ? 'packed' : 'split'} queue${hasEventIndex ? ', with event index' : ''}${
        isInOrder ? ', in order' : ''
      }`
    }))
  )
)

describe.each(formats)('$name', ({ isPacked, hasEventIndex, isInOrder }) => {
  it('hands over every byte, however a buffer is cut', async () => {
    harness = await Harness.create({ take: echo })
    const queue = harness.startQueue({ isPacked, hasEventIndex, isInOrder, size: 32, vector: 0 })
    await expectEcho(queue, 1, {}, 1)
    await expectEcho(queue, 700, { cut: [1, 2, 300] }, 2)
    await expectEcho(queue, 5000, { cut: [512] }, 3)
    await expectEcho(queue, 5000, { cut: [512], indirect: true }, 4)
    await expectEcho(queue, 80, { cut: [3], indirect: true }, 5)
    await expectEcho(queue, 2 * 4096, {}, 6)
    expect(harness.broken).toEqual([])
  })

  it('goes round many times', async () => {
    harness = await Harness.create({ take: echo })
    const queue = harness.startQueue({ isPacked, hasEventIndex, isInOrder, size: 8 })
    for (let round = 0; round < 60; round++) await expectEcho(queue, 64, { cut: [round % 2 === 0 ? 32 : 64] }, round)
    expect(harness.broken).toEqual([])
  })

  it('is used to its last entry, many at a time', async () => {
    harness = await Harness.create({ take: echo })
    const queue = harness.startQueue({ isPacked, hasEventIndex, isInOrder, size: 16 })
    for (let round = 0; round < 20; round++) {
      const readable = harness.buffer(Uint8Array.of(round))
      const spaces = Array.from({ length: 8 }, () => harness.space(1))
      const ids = spaces.map(space => queue.stage({ readable: [readable], writable: [space] }))
      queue.ring.publish()
      await queue.kick()
      const used: number[] = []
      await until(() => {
        for (let each = queue.take(); each !== undefined; each = queue.take()) used.push(each.id)
        return used.length === ids.length
      })
      expect(used.sort()).toEqual(ids.sort())
      expect(spaces.map(({ iova }) => harness.memory.bytesAt(iova, 1)[0])).toEqual(spaces.map(() => round + 1))
      for (const { iova } of [readable, ...spaces]) harness.memory.free(iova)
    }
  })

  it('tells of completions in any order', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue({ isPacked, hasEventIndex, isInOrder, size: 16 })
    const ids = [1, 2, 3, 4].map(byteLength => queue.add({ readable: [], writable: [harness.space(byteLength)] }))
    await queue.kick()
    await until(() => harness.taken.length === 4)
    harness.complete(2, 0)
    await turns()
    expect(queue.take()?.id).toBe(isInOrder ? undefined : ids[2])
    harness.complete(0, 1)
    await turns()
    expect(queue.take()).toMatchObject({ id: ids[0], written: 1 })
    expect(queue.take()).toBeUndefined()
    harness.complete(0, 2)
    harness.complete(0, 3)
    await turns()
    const rest = [queue.take(), queue.take(), queue.take()]
    expect(rest.map(used => used?.id)).toEqual(isInOrder ? ids.slice(1) : [ids[1], ids[3], undefined])
    expect(queue.take()).toBeUndefined()
  })
})

describe('a split queue', () => {
  it('takes a table after descriptors of the ring', async () => {
    harness = await Harness.create({ take: echo })
    const queue = harness.startQueue()
    await expectEcho(queue, 100, { cut: [10], indirect: 3 }, 1)
  })

  it('goes on when its indices overflow', async () => {
    harness = await Harness.create({ take: chain => chain.complete(0), entriesMax: 32_768 })
    const queue = harness.startQueue({ size: 32_768 })
    const buffer = harness.space(1)
    for (let lap = 0; lap < 3; lap++) {
      for (let index = 0; index < 32_768; index++) queue.stage({ readable: [buffer], writable: [] })
      queue.ring.publish()
      await queue.kick()
      let count = 0
      await until(() => {
        while (queue.take() !== undefined) count++
        return count === 32_768
      })
    }
    expect([harness.takenCount, harness.broken]).toEqual([3 * 32_768, []])
  })
})

describe('a packed queue', () => {
  it('has any size', async () => {
    harness = await Harness.create({ take: echo })
    const queue = harness.startQueue({ isPacked: true, size: 7 })
    for (let round = 0; round < 30; round++) await expectEcho(queue, 9, { cut: [3 + round % 7] }, round)
  })
})

describe('used buffers of a queue in order', () => {
  it.each([false, true])('are told of together only where they were filled (packed: %s)', async isPacked => {
    harness = await Harness.create()
    const queue = harness.startQueue({ isPacked, isInOrder: true })
    for (let index = 0; index < 5; index++) queue.add({ readable: [], writable: [harness.space(4)] })
    await queue.kick()
    await until(() => harness.taken.length === 5)
    const written = [4, 4, 1, 4, 2]
    for (const index of [4, 3, 2, 1, 0]) harness.taken[index]!.complete(written[index]!)
    await turns()
    const used = written.map(() => queue.take())
    expect(used.map(each => [each?.written, each?.isSkipped])).toEqual([
      [4, true],
      [4, true],
      [1, false],
      [4, true],
      [2, false]
    ])
  })
})
