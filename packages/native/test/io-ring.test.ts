import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeDescriptor, createMemoryFile, IoRing, Mapping, OWN_POSITION } from '../src/index.js'
import { openDescriptorCount } from './open-descriptors.js'
import { openPipe } from './open-pipe.js'
import { whyNoIoRing } from './why-no-io-ring.js'

const SLOTS = 64
const { EBADF, EFAULT, ENOSPC } = constants.errno

let folder: string
let path: string
let fd: number
let descriptorsBefore: number
let ring: IoRing
let answers: Float64Array

beforeEach(({ skip }) => {
  const reason = whyNoIoRing()
  skip(reason !== undefined, reason)
  descriptorsBefore = openDescriptorCount()
  folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  path = join(folder, 'disk.img')
  writeFileSync(path, Uint8Array.from({ length: 10_000 }, (_, index) => index % 251))
  fd = openSync(path, 'r+')
  ring = IoRing.create(SLOTS)
  answers = new Float64Array(2 * SLOTS)
})

afterEach(() => {
  if (whyNoIoRing() !== undefined) return
  ring.close()
  closeSync(fd)
  rmSync(folder, { recursive: true })
  expect(openDescriptorCount()).toBeLessThanOrEqual(descriptorsBefore)
})

const pattern = (from: number, length: number): number[] => Array.from({ length }, (_, index) => (from + index) % 251)

/** Takes `count` answers without the event loop: results by slot. */
function takeNow (count: number): Map<number, number> {
  const results = new Map<number, number>()
  while (results.size < count) {
    const taken = ring.exchange(answers)
    for (let index = 0; index < taken; index += 1) results.set(answers[2 * index]!, answers[2 * index + 1]!)
  }
  return results
}

/** Takes `count` answers as the event loop tells of them. */
function take (count: number): Promise<Map<number, number>> {
  return new Promise(resolve => {
    const results = new Map<number, number>()
    const takeMore = (): void => {
      const taken = ring.exchange(answers)
      for (let index = 0; index < taken; index += 1) results.set(answers[2 * index]!, answers[2 * index + 1]!)
      if (results.size < count) return
      ring.onAnswer(undefined)
      resolve(results)
    }
    ring.onAnswer(takeMore)
    takeMore()
  })
}

describe('IoRing', () => {
  it('reads one part of a file into parts of several arrays', () => {
    const [first, second] = [new Uint8Array(8), new Uint8Array(8)]
    ring.prepareRead(0, fd, [first, second], [2, 0], [3, 4], 2, 100)
    expect(takeNow(1)).toEqual(new Map([[0, 7]]))
    expect([...first]).toEqual([0, 0, ...pattern(100, 3), 0, 0, 0])
    expect([...second]).toEqual([...pattern(103, 4), 0, 0, 0, 0])
  })

  it('writes parts of several arrays as one', () => {
    ring.prepareWrite(3, fd, [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)], [1, 0], [2, 2], 2, 50)
    expect(takeNow(1)).toEqual(new Map([[3, 4]]))
    expect([...readFileSync(path).subarray(49, 55)]).toEqual([49, 2, 3, 4, 5, 54])
  })

  it('answers with less at the end of the file, and with 0 past it', () => {
    const target = new Uint8Array(100)
    ring.prepareRead(0, fd, [target], [0], [100], 1, 9_990)
    ring.prepareRead(1, fd, [target], [0], [100], 1, 20_000)
    expect(takeNow(2)).toEqual(new Map([[0, 10], [1, 0]]))
  })

  it('syncs a file', async () => {
    ring.prepareWrite(0, fd, [Uint8Array.of(9)], [0], [1], 1, 0)
    ring.prepareSync(1, fd)
    expect(await take(2)).toEqual(new Map([[0, 1], [1, 0]]))
  })

  it('transfers more segments than the kernel takes at once', () => {
    const target = new Uint8Array(6_000)
    const offsets = Array.from({ length: 3_000 }, (_, index) => index * 2)
    const twos = new Array<number>(3_000).fill(2)
    ring.prepareRead(0, fd, new Array<Uint8Array>(3_000).fill(target), offsets, twos, 3_000, 5)
    expect(takeNow(1)).toEqual(new Map([[0, 6_000]]))
    expect([...target]).toEqual(pattern(5, 6_000))
  })

  it('hands nothing over before it is told to, and may then have all slots in flight', async () => {
    const targets = Array.from({ length: SLOTS }, () => new Uint8Array(16))
    targets.forEach((target, slot) => ring.prepareRead(slot, fd, [target], [0], [16], 1, slot * 16))
    expect(targets.every(target => target.every(byte => byte === 0))).toBe(true)
    const results = await take(SLOTS)
    expect([...results.values()]).toEqual(new Array(SLOTS).fill(16))
    expect(targets.map(target => [...target])).toEqual(targets.map((_, slot) => pattern(slot * 16, 16)))
  })

  it('shows without a call whether there are answers', () => {
    const seen = [ring.hasAnswers]
    ring.prepareRead(0, fd, [new Uint8Array(4)], [0], [4], 1, 0)
    ring.prepareRead(1, fd, [new Uint8Array(4)], [0], [4], 1, 0)
    seen.push(ring.hasAnswers)
    ring.exchange(new Float64Array(0))
    while (!ring.hasAnswers);
    takeNow(2)
    seen.push(ring.hasAnswers)
    ring.close()
    seen.push(ring.hasAnswers)
    expect(seen).toEqual([false, false, false, false])
  })

  it('waits for an answer, and no longer than it was told to', () => {
    const { reader, writer } = openPipe(folder)
    ring.prepareRead(0, reader, [new Uint8Array(4)], [0], [4], 1, OWN_POSITION)
    ring.exchange(answers)
    ring.wait(100)
    const before = ring.hasAnswers
    writeSync(writer, Uint8Array.of(1, 2, 3, 4))
    while (!ring.hasAnswers) ring.wait(1_000_000)
    expect([before, ring.exchange(answers), answers[1]]).toEqual([false, 1, 4])
    closeDescriptor(reader)
    closeDescriptor(writer)
  })

  it('has nothing to wait for without a request, or once it is closed', () => {
    ring.wait(1_000_000)
    ring.close()
    ring.wait(1_000_000)
    expect(ring.hasAnswers).toBe(false)
    expect(() => ring.wait(1_000_001)).toThrow(RangeError)
  })

  it('uses a slot again and again', () => {
    const target = new Uint8Array(4)
    const seen = Array.from({ length: 1000 }, (_, index) => {
      ring.prepareRead(7, fd, [target], [0], [4], 1, index)
      takeNow(1)
      return target[0]
    })
    expect(seen).toEqual(pattern(0, 1000))
  })

  it('leaves answers that find no room for the next call', () => {
    for (let slot = 0; slot < 5; slot += 1) ring.prepareRead(slot, fd, [new Uint8Array(4)], [0], [4], 1, 0)
    answers = new Float64Array(5)
    const sizes = [ring.exchange(answers), ring.exchange(answers), ring.exchange(answers), ring.exchange(answers)]
    expect(sizes).toEqual([2, 2, 1, 0])
  })

  it('answers with the errno of a request that failed, and does the others', () => {
    const full = openSync('/dev/full', 'w')
    ring.prepareRead(0, 99_999, [new Uint8Array(4)], [0], [4], 1, 0)
    ring.prepareWrite(1, full, [new Uint8Array(4)], [0], [4], 1, 0)
    ring.prepareSync(2, 99_999)
    ring.prepareRead(3, fd, [new Uint8Array(4)], [0], [4], 1, 0)
    expect(takeNow(4)).toEqual(new Map([[0, -EBADF], [1, -ENOSPC], [2, -EBADF], [3, 4]]))
    closeSync(full)
  })

  it('refuses a slot in use, and any slot once it is closed', () => {
    ring.prepareSync(0, fd)
    expect(() => ring.prepareSync(0, fd)).toThrow(expect.objectContaining({ code: 'EBUSY' }))
    ring.close()
    expect(() => ring.prepareSync(0, fd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(ring.exchange(answers)).toBe(0)
  })

  it.each([
    ['a slot past the end', () => ring.prepareSync(SLOTS, fd), RangeError],
    ['a part past the end', () => ring.prepareRead(0, fd, [new Uint8Array(4)], [2], [3], 1, 0), RangeError],
    ['a position too large', () => ring.prepareRead(0, fd, [new Uint8Array(4)], [0], [4], 1, 2 ** 53 - 2), RangeError],
    ['buffers that are no list', () => ring.prepareWrite(0, fd, new Uint8Array(4) as never, [0], [4], 1, 0), TypeError],
    ['answers of another type', () => ring.exchange(new Int32Array(4) as never), TypeError],
    ['no slots at all', () => IoRing.create(0), RangeError]
  ])('refuses %s, and keeps the slot free', (_name, call, type) => {
    expect(call).toThrow(type)
    ring.prepareSync(0, fd)
    expect(takeNow(1).size).toBe(1)
  })
})

describe('a request in flight', () => {
  let reader: number
  let writer: number

  beforeEach(() => {
    ;({ reader, writer } = openPipe(folder))
  })

  afterEach(() => {
    closeSync(reader)
    closeSync(writer)
  })

  /** Starts a read of 8 bytes and lets the first 4 arrive, so that it certainly runs. */
  async function startRead (bytes: Uint8Array): Promise<void> {
    const arrays = [bytes]
    ring.prepareRead(0, reader, arrays, [0], [8], 1, OWN_POSITION)
    arrays.length = 0
    ring.exchange(answers)
    writeSync(writer, Uint8Array.of(1, 2, 3, 4))
    while (bytes[3] !== 4) {
      await new Promise(setImmediate)
      expect(ring.exchange(answers)).toBe(0)
    }
  }

  it('goes on where a short transfer ended, and wakes the event loop when it is done', async () => {
    const bytes = new Uint8Array(8)
    await startRead(bytes)
    const done = take(1)
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    expect(await done).toEqual(new Map([[0, 8]]))
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('fills its memory although the window was detached', async () => {
    const mapping = Mapping.anonymous(4096)
    await startRead(new Uint8Array(mapping.window(0, 4096)))
    mapping.detach()
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    expect(takeNow(1)).toEqual(new Map([[0, 8]]))
    expect([...new Uint8Array(mapping.window(0, 8))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    mapping.unmap()
  })

  it.each(['revoke', 'unmap'] as const)('is cut off by %s, and writes nowhere', async how => {
    const file = createMemoryFile('guest', 4096)
    const mapping = Mapping.map(file, 0, 4096, { read: true, write: true })
    await startRead(new Uint8Array(mapping.window(0, 4096)))
    mapping[how]()
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    expect(takeNow(1)).toEqual(new Map([[0, -EFAULT]]))
    const content = new Uint8Array(8)
    readSync(file, content, 0, 8, 0)
    expect([...content]).toEqual([1, 2, 3, 4, 0, 0, 0, 0])
    mapping.unmap()
    closeDescriptor(file)
  })

  it('is cut off by revoke on a thread of the kernel, too', async () => {
    // A file cannot be polled for data as a pipe can. This one is served by a thread that faults the memory in.
    const mapping = Mapping.anonymous(1 << 20)
    const bytes = new Uint8Array(mapping.window(0, 1 << 20))
    ftruncateSync(fd, 1 << 20)
    ring.prepareWrite(0, fd, [bytes], [0], [1 << 20], 1, 0)
    mapping.revoke()
    expect(takeNow(1)).toEqual(new Map([[0, -EFAULT]]))
    mapping.unmap()
  })

  it('is cancelled when the ring is closed, which gives its memory back', async () => {
    const bytes = new Uint8Array(8)
    await startRead(bytes)
    ring.close()
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    const rest = new Uint8Array(8)
    expect(readSync(reader, rest, 0, 8, null)).toBe(4)
    expect([...bytes]).toEqual([1, 2, 3, 4, 0, 0, 0, 0])
  })
})
