import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AllocateMode,
  blockDeviceSize,
  closeDescriptor,
  createMemoryFile,
  fileAllocate,
  lockFile,
  Mapping,
  OWN_POSITION,
  readVector,
  readVectorNow,
  syncFileData,
  writeVector,
  writeVectorNow,
  writeVectorSoon
} from '../src/index.js'
import { openDescriptorCount } from './open-descriptors.js'
import { openPipe } from './open-pipe.js'

let folder: string
let path: string
let fd: number
let descriptorsBefore: number

beforeEach(() => {
  descriptorsBefore = openDescriptorCount()
  folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  path = join(folder, 'disk.img')
  writeFileSync(path, Uint8Array.from({ length: 10_000 }, (_, index) => index % 251))
  fd = openSync(path, 'r+')
})

afterEach(() => {
  closeSync(fd)
  rmSync(folder, { recursive: true })
  expect(openDescriptorCount()).toBeLessThanOrEqual(descriptorsBefore)
})

const pattern = (from: number, length: number): number[] => Array.from({ length }, (_, index) => (from + index) % 251)

describe('readVector', () => {
  it('reads one part of a file into parts of several arrays', async () => {
    const [first, second] = [new Uint8Array(8), new Uint8Array(8)]
    expect(await readVector(fd, [first, second], [2, 0], [3, 4], 2, 100)).toBe(7)
    expect([...first]).toEqual([0, 0, ...pattern(100, 3), 0, 0, 0])
    expect([...second]).toEqual([...pattern(103, 4), 0, 0, 0, 0])
  })

  it('looks at the first segments only, and may reuse the arrays at once', async () => {
    const buffers = [new Uint8Array(4), new Uint8Array(4)]
    const target = buffers[0] as Uint8Array
    const done = readVector(fd, buffers, [0, 0], [4, 4], 1, 0)
    buffers.length = 0
    expect(await done).toBe(4)
    expect([...target]).toEqual(pattern(0, 4))
  })

  it('resolves with less at the end of the file, and with 0 past it', async () => {
    const target = new Uint8Array(100)
    expect(await readVector(fd, [target], [0], [100], 1, 9_990)).toBe(10)
    expect(await readVector(fd, [target], [0], [100], 1, 20_000)).toBe(0)
  })

  it('reads more segments than the kernel takes at once', async () => {
    const target = new Uint8Array(6_000)
    const offsets = Array.from({ length: 3_000 }, (_, index) => index * 2)
    const buffers = new Array<Uint8Array>(3_000).fill(target)
    expect(await readVector(fd, buffers, offsets, new Array<number>(3_000).fill(2), 3_000, 5)).toBe(6_000)
    expect([...target]).toEqual(pattern(5, 6_000))
  })

  it('skips empty segments, and reads nothing without any', async () => {
    const target = new Uint8Array(4)
    expect(await readVector(fd, [target, target], [0, 0], [0, 4], 2, 0)).toBe(4)
    expect(await readVector(fd, [], [], [], 0, 0)).toBe(0)
  })

  it('reads into mapped memory', async () => {
    const mapping = Mapping.anonymous(8192)
    const bytes = new Uint8Array(mapping.window(0, 8192))
    await readVector(fd, [bytes], [4090], [20], 1, 0)
    expect([...bytes.subarray(4090, 4110)]).toEqual(pattern(0, 20))
    mapping.unmap()
  })

  it('rejects with the system error', async () => {
    const target = new Uint8Array(4)
    await expect(readVector(99_999, [target], [0], [4], 1, 0)).rejects.toMatchObject({
      code: 'EBADF',
      errno: -constants.errno.EBADF,
      syscall: 'preadv'
    })
  })

  it.each([
    ['a part past the end', () => readVector(fd, [new Uint8Array(4)], [2], [3], 1, 0), RangeError],
    ['more segments than there are', () => readVector(fd, [new Uint8Array(4)], [0], [4], 2, 0), TypeError],
    ['a negative count', () => readVector(fd, [], [], [], -1, 0), RangeError],
    ['a negative position', () => readVector(fd, [], [], [], 0, -2), RangeError],
    ['a position too large', () => readVector(fd, [new Uint8Array(4)], [0], [4], 1, 2 ** 53 - 2), RangeError],
    ['buffers that are no list', () => readVector(fd, new Uint8Array(4) as never, [0], [4], 1, 0), TypeError],
    ['a buffer of another type', () => readVector(fd, [new Uint16Array(4) as never], [0], [4], 1, 0), TypeError]
  ])('refuses %s', (_name, call, type) => {
    expect(call).toThrow(type)
  })
})

describe('writeVector', () => {
  it('writes parts of several arrays as one', async () => {
    const [first, second] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]
    expect(await writeVector(fd, [first, second], [1, 0], [2, 2], 2, 50)).toBe(4)
    expect([...readFileSync(path).subarray(49, 55)]).toEqual([49, 2, 3, 4, 5, 54])
  })

  it('makes the file longer', async () => {
    expect(await writeVector(fd, [Uint8Array.of(1)], [0], [1], 1, 20_000)).toBe(1)
    expect(statSync(path).size).toBe(20_001)
  })

  it('rejects when the descriptor only reads', async () => {
    const reader = openSync(path, 'r')
    await expect(writeVector(reader, [Uint8Array.of(1)], [0], [1], 1, 0)).rejects.toMatchObject({ code: 'EBADF' })
    closeSync(reader)
  })

  it('rejects when the disk is full', async () => {
    const full = openSync('/dev/full', 'w')
    await expect(writeVector(full, [Uint8Array.of(1)], [0], [1], 1, 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    closeSync(full)
  })
})

describe('a transfer in flight', () => {
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
  async function startRead (mapping: Mapping): Promise<{ done: Promise<number> }> {
    const bytes = new Uint8Array(mapping.window(0, 4096))
    const done = readVector(reader, [bytes], [0], [8], 1, OWN_POSITION)
    done.catch(() => {})
    writeSync(writer, Uint8Array.of(1, 2, 3, 4))
    while (bytes[3] !== 4) await new Promise(setImmediate)
    return { done }
  }

  it('fills its memory although the window was detached', async () => {
    const mapping = Mapping.anonymous(4096)
    const { done } = await startRead(mapping)
    mapping.detach()
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    expect(await done).toBe(8)
    expect([...new Uint8Array(mapping.window(0, 8))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    mapping.unmap()
  })

  it.each(['revoke', 'unmap'] as const)('is cut off by %s', async how => {
    const mapping = Mapping.anonymous(4096)
    const { done } = await startRead(mapping)
    mapping[how]()
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    await expect(done).rejects.toMatchObject({ code: 'EFAULT' })
    mapping.unmap()
  })

  it('holds the addresses of an unmapped mapping until it ends', async () => {
    const byteLength = 4096 * 59
    const isReserved = () => {
      return readFileSync('/proc/self/maps', 'utf8').split('\n').some(line => {
        const [from, to] = (line.split(' ')[0] ?? '').split('-').map(part => parseInt(part, 16))
        return line.includes('---p') && Number(to) - Number(from) >= byteLength && line.includes(' 00:00 0') &&
          address >= Number(from) && address < Number(to)
      })
    }
    let address = 0
    const before = new Set(readFileSync('/proc/self/maps', 'utf8').split('\n'))
    const mapping = Mapping.anonymous(byteLength)
    // The engine makes mappings of its own at any time, but none that is shared.
    const line = readFileSync('/proc/self/maps', 'utf8').split('\n')
      .find(each => !before.has(each) && each.includes(' rw-s ')) ?? ''
    address = parseInt(line, 16)
    const { done } = await startRead(mapping)
    mapping.unmap()
    expect(isReserved()).toBe(true)
    writeSync(writer, Uint8Array.of(5, 6, 7, 8))
    await expect(done).rejects.toMatchObject({ code: 'EFAULT' })
    expect(isReserved()).toBe(false)
  })
})

describe('readVectorNow', () => {
  it('returns what the cache has, or that it cannot tell', () => {
    const target = new Uint8Array(16)
    readFileSync(path)
    const result = readVectorNow(fd, [target, target], [0, 8], [4, 4], 2, 10)
    expect([8, -constants.errno.EAGAIN, -constants.errno.EOPNOTSUPP]).toContain(result)
    expect([...target.subarray(8, 12)]).toEqual(result === 8 ? pattern(14, 4) : [0, 0, 0, 0])
  })

  it('returns an errno rather than throw', () => {
    expect(readVectorNow(99_999, [new Uint8Array(1)], [0], [1], 1, 0)).toBe(-constants.errno.EBADF)
  })
})

describe('readVectorNow and writeVectorNow', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4)

  it('write what the page cache takes, or say that they cannot tell', () => {
    const result = writeVectorNow(fd, [bytes, bytes], [0, 1], [2, 2], 2, 10)
    expect([4, -constants.errno.EAGAIN, -constants.errno.EOPNOTSUPP]).toContain(result)
    expect([...readFileSync(path).subarray(10, 14)]).toEqual(result === 4 ? [1, 2, 2, 3] : pattern(10, 4))
  })

  it('write and read a file in memory, which has nothing to wait for', () => {
    const memory = createMemoryFile('disk', 4096)
    expect(writeVectorNow(memory, [bytes, bytes], [0, 1], [2, 2], 2, 10, 'allowed')).toBe(4)
    const content = new Uint8Array(6)
    expect(readVectorNow(memory, [content], [0], [6], 1, 9, 'allowed')).toBe(6)
    expect([...content]).toEqual([0, 1, 2, 2, 3, 0])
    closeDescriptor(memory)
  })

  it('returns an errno rather than throw', () => {
    expect(writeVectorNow(99_999, [bytes], [0], [1], 1, 0)).toBe(-constants.errno.EBADF)
  })
})

describe('writeVectorSoon', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4)
  /** Takes some tens of milliseconds. */
  const long = new Uint8Array(64 * 1024 * 1024).fill(7)

  /** Writes again and again until it was over in time, which it is unless others need the core. */
  async function inTime (write: () => number | Promise<number>): Promise<number> {
    for (;;) {
      const result = write()
      if (typeof result === 'number') return result
      await result.catch(() => undefined)
    }
  }

  it('has written when it returns, again and again', async () => {
    for (let count = 0; count < 100; count += 1) {
      expect(await inTime(() => writeVectorSoon(fd, [bytes, bytes], [0, 1], [2, 2], 2, 10 + count))).toBe(4)
    }
    expect([...readFileSync(path).subarray(108, 114)]).toEqual([1, 1, 2, 2, 3, (114 - 1) % 251])
  })

  it('returns an errno rather than throw', async () => {
    expect(await inTime(() => writeVectorSoon(99_999, [bytes], [0], [1], 1, 0))).toBe(-constants.errno.EBADF)
  })

  it('does not wait for what takes long, and takes nothing else until that is over', async () => {
    const memory = createMemoryFile('disk', 0)
    const written = writeVectorSoon(memory, [long], [0], [long.length], 1, 0)
    expect(written).toBeInstanceOf(Promise)
    expect(writeVectorSoon(fd, [bytes], [0], [4], 1, 0)).toBe(-constants.errno.EBUSY)
    await expect(written).resolves.toBe(long.length)
    expect(statSync(`/proc/self/fd/${memory}`).size).toBe(long.length)
    expect(await writeVectorSoon(fd, [bytes], [0], [4], 1, 0)).toBe(4)
    closeDescriptor(memory)
  })

  it('sees memory that is taken away in its midst as a fault', async () => {
    const memory = createMemoryFile('disk', 0)
    const source = createMemoryFile('source', long.length)
    const mapping = Mapping.map(source, 0, long.length, { read: true, write: true })
    const written = writeVectorSoon(memory, [new Uint8Array(mapping.window(0, long.length))], [0], [long.length], 1, 0)
    expect(written).toBeInstanceOf(Promise)
    mapping.revoke()
    await expect(written).rejects.toMatchObject({ code: 'EFAULT', syscall: 'pwritev' })
    mapping.unmap()
    for (const file of [memory, source]) closeDescriptor(file)
  })
})

describe('file control', () => {
  it('punches a hole without changing the size', async () => {
    await fileAllocate(fd, AllocateMode.PUNCH_HOLE, 100, 50)
    const content = readFileSync(path)
    expect(content.length).toBe(10_000)
    expect([...content.subarray(99, 101)]).toEqual([99, 0])
    expect([...content.subarray(149, 151)]).toEqual([0, 150])
  })

  it('makes a file longer, or not', async () => {
    await fileAllocate(fd, AllocateMode.KEEP_SIZE, 0, 20_000)
    expect(statSync(path).size).toBe(10_000)
    await fileAllocate(fd, AllocateMode.ALLOCATE, 0, 20_000)
    expect(statSync(path).size).toBe(20_000)
  })

  it('rejects with the system error', async () => {
    await expect(fileAllocate(99_999, AllocateMode.ALLOCATE, 0, 1)).rejects.toMatchObject({ code: 'EBADF' })
    await expect(syncFileData(99_999)).rejects.toMatchObject({ code: 'EBADF', syscall: 'fdatasync' })
  })

  it('syncs', async () => {
    expect(await syncFileData(fd)).toBeUndefined()
  })

  it('locks a file against a second opener, in this process too', () => {
    const second = openSync(path, 'r+')
    expect(lockFile(fd, 'exclusive')).toBe(true)
    expect(lockFile(fd, 'exclusive')).toBe(true)
    expect(lockFile(second, 'exclusive')).toBe(false)
    expect(lockFile(second, 'shared')).toBe(false)
    closeSync(second)
  })

  it('shares a lock among readers, and not with a writer', () => {
    const second = openSync(path, 'r+')
    const third = openSync(path, 'r+')
    expect(lockFile(fd, 'shared')).toBe(true)
    expect(lockFile(second, 'shared')).toBe(true)
    expect(lockFile(third, 'exclusive')).toBe(false)
    closeSync(second)
    closeSync(third)
  })

  it('frees a lock when the file is closed', () => {
    const second = openSync(path, 'r+')
    expect(lockFile(second, 'exclusive')).toBe(true)
    expect(lockFile(fd, 'exclusive')).toBe(false)
    closeSync(second)
    expect(lockFile(fd, 'exclusive')).toBe(true)
  })

  it('knows no size of a block device for a file', () => {
    expect(() => blockDeviceSize(fd)).toThrow(expect.objectContaining({ code: 'ENOTTY' }))
  })
})
