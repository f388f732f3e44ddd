import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BlockBackend } from '@pcikit/block'
import {
  BLOCK_COUNT,
  BLOCK_SIZE,
  codeOf,
  expectBytes,
  gather,
  GUARD,
  pattern,
  pieces,
  readBlocks,
  scatter
} from './block-samples.js'
import { describeTries } from './block-backend/tries.js'

/** How the suite obtains the implementation under test. */
export interface BlockBackendFixture {
  /** Makes storage in which every block is zero. */
  create(geometry: { readonly blockSize: number, readonly blockCount: number }): Promise<BlockBackend>
  /** Opens the storage that `create` made last, closed by then, when it outlives a close. */
  reopen?(): Promise<BlockBackend>
  /** Opens the same for reading only, when there is such a thing. */
  reopenReadOnly?(): Promise<BlockBackend>
  /** Gives the storage that `create` made last, still open, another size: as somebody else would. Where that can be. */
  resize?(blockCount: number): Promise<void>
  /** True for storage that keeps nothing of what is written: whatever is read is zero. */
  readonly forgets?: boolean
}

/** The obligations of a {@link BlockBackend}. Call it once in a test file, for each implementation. */
export function describeBlockBackend (name: string, fixture: BlockBackendFixture): void {
  describe(`${name} as BlockBackend`, () => {
    let disk: BlockBackend
    beforeEach(async () => {
      disk = await fixture.create({ blockSize: BLOCK_SIZE, blockCount: BLOCK_COUNT })
    })
    afterEach(async () => {
      await disk[Symbol.asyncDispose]()
    })
    const getDisk = (): BlockBackend => disk
    const setDisk = (next: BlockBackend): void => {
      disk = next
    }

    describeGeometry(getDisk, fixture)
    if (fixture.forgets === true) describeForgetting(getDisk)
    else {
      describeTransfers(getDisk)
      describeZeroing(getDisk)
      describePersistence(getDisk, setDisk, fixture)
    }
    describeResizing(getDisk, fixture)
    describeTries(getDisk, fixture)
    describePolling(getDisk)
    describeRefusals(getDisk)
    describeClosing(getDisk)
  })
}

function describeGeometry (disk: () => BlockBackend, fixture: BlockBackendFixture): void {
  it('has the geometry that it was made with', () => {
    expect(disk()).toMatchObject({ blockSize: BLOCK_SIZE, blockCount: BLOCK_COUNT, readOnly: false })
  })

  it('can have blocks of 4096 bytes', async () => {
    await disk()[Symbol.asyncDispose]()
    const large = await fixture.create({ blockSize: 4096, blockCount: 3 })
    const block = new Uint8Array(4096).fill(GUARD)
    await large.read(2, block)
    await large[Symbol.asyncDispose]()
    expect(large.blockCount).toBe(3)
    expect(block.every(byte => byte === 0)).toBe(true)
  })

  it('has discard() exactly when it says so', () => {
    expect(disk().discard !== undefined).toBe(disk().supportsDiscard)
  })

  it('reads zeroes where nothing was written', async () => {
    expectBytes(await readBlocks(disk(), 0, BLOCK_COUNT), new Uint8Array(BLOCK_COUNT * BLOCK_SIZE))
  })

  it('does nothing for a request of no blocks, at the very end too', async () => {
    await disk().read(BLOCK_COUNT, new Uint8Array(0))
    await disk().write(BLOCK_COUNT, new Uint8Array(0))
    await disk().writeZeroes(BLOCK_COUNT, 0)
    await disk().discard?.(BLOCK_COUNT, 0)
    expectBytes(await readBlocks(disk(), BLOCK_COUNT - 1, 1), new Uint8Array(BLOCK_SIZE))
  })

  it('answers a flush', async () => {
    expect(await codeOf(() => disk().flush())).toBeUndefined()
  })
}

function describeTransfers (disk: () => BlockBackend): void {
  it('reads back what was written, and nothing else', async () => {
    await disk().write(3, new Uint8Array(512).fill(0xa5))
    const neighbours = await readBlocks(disk(), 2, 3)
    expect(neighbours.findIndex(byte => byte !== 0)).toBe(512)
    expect(neighbours.findLastIndex(byte => byte !== 0)).toBe(1023)
  })

  it('reads and writes the first and the last block', async () => {
    await disk().write(0, pattern(1, 1))
    await disk().write(BLOCK_COUNT - 1, pattern(1, 2))
    expectBytes(await readBlocks(disk(), 0, 1), pattern(1, 1))
    expectBytes(await readBlocks(disk(), BLOCK_COUNT - 1, 1), pattern(1, 2))
  })

  it('writes all of itself in one request and reads it in another', async () => {
    await disk().write(0, pattern(BLOCK_COUNT, 3))
    expectBytes(await readBlocks(disk(), 0, BLOCK_COUNT), pattern(BLOCK_COUNT, 3))
  })

  it('overwrites part of what is there', async () => {
    await disk().write(8, pattern(8, 4))
    await disk().write(10, pattern(2, 5))
    const expected = pattern(8, 4)
    expected.set(pattern(2, 5), 2 * BLOCK_SIZE)
    expectBytes(await readBlocks(disk(), 8, 8), expected)
  })

  it('reads into pieces of any length and touches nothing around them', async () => {
    await disk().write(5, pattern(9, 6))
    const target = pieces(4, 508, 4096, 0)
    await disk().read(5, target)
    expectBytes(gather(target), pattern(9, 6))
    expectBytes(target.arrays[0]!.subarray(0, 8), new Uint8Array(8).fill(GUARD))
    expectBytes(target.arrays[2]!.subarray(10 + 4096), new Uint8Array(10).fill(GUARD))
    expectBytes(target.arrays[3]!, new Uint8Array(22).fill(GUARD))
  })

  it('reads zeroes into pieces and touches nothing around them', async () => {
    const target = pieces(1000, 24)
    await disk().read(5, target)
    expectBytes(gather(target), new Uint8Array(1024))
    expectBytes(target.arrays[0]!.subarray(1008), new Uint8Array(8).fill(GUARD))
  })

  it('writes from pieces of any length', async () => {
    const source = pieces(100, 412, 3584)
    scatter(source, pattern(8, 7))
    await disk().write(17, source)
    expectBytes(await readBlocks(disk(), 17, 8), pattern(8, 7))
    expectBytes(await readBlocks(disk(), 25, 1), new Uint8Array(BLOCK_SIZE))
  })

  it('leaves the source as it was', async () => {
    const source = pattern(4, 8)
    await disk().write(0, source)
    expectBytes(source, pattern(4, 8))
  })

  it('serves requests that overlap in time', async () => {
    await Promise.all(Array.from({ length: BLOCK_COUNT }, async (_, lba) => disk().write(lba, pattern(1, lba))))
    const blocks = Array.from({ length: BLOCK_COUNT }, () => new Uint8Array(BLOCK_SIZE))
    await Promise.all(blocks.map(async (block, lba) => disk().read(lba, block)))
    expectBytes(Buffer.concat(blocks), Buffer.concat(blocks.map((_, lba) => pattern(1, lba))))
  })
}

function describeZeroing (disk: () => BlockBackend): void {
  it('writes zeroes to exactly the blocks asked for', async () => {
    await disk().write(0, pattern(BLOCK_COUNT, 9))
    await disk().writeZeroes(3, 30)
    const expected = pattern(BLOCK_COUNT, 9).fill(0, 3 * BLOCK_SIZE, 33 * BLOCK_SIZE)
    expectBytes(await readBlocks(disk(), 0, BLOCK_COUNT), expected)
  })

  it('reads zeroes where blocks were discarded, and what was there elsewhere', async ({ skip }) => {
    skip(!disk().supportsDiscard, 'the back end does not discard')
    await disk().write(0, pattern(BLOCK_COUNT, 10))
    await disk().discard!(5, 50)
    const expected = pattern(BLOCK_COUNT, 10).fill(0, 5 * BLOCK_SIZE, 55 * BLOCK_SIZE)
    expectBytes(await readBlocks(disk(), 0, BLOCK_COUNT), expected)
  })

  it('takes new data where blocks were zeroed', async () => {
    await disk().write(0, pattern(BLOCK_COUNT, 11))
    await disk().writeZeroes(0, BLOCK_COUNT)
    await disk().write(20, pattern(1, 12))
    expectBytes(await readBlocks(disk(), 20, 1), pattern(1, 12))
    expectBytes(await readBlocks(disk(), 21, 1), new Uint8Array(BLOCK_SIZE))
  })
}

function describePersistence (
  disk: () => BlockBackend,
  setDisk: (next: BlockBackend) => void,
  fixture: BlockBackendFixture
): void {
  it('keeps flushed data across a reopen', async ({ skip }) => {
    const { reopen } = fixture
    skip(reopen === undefined, 'fixture has no reopen()')
    await disk().write(2, pattern(5, 13))
    await disk().flush()
    await disk()[Symbol.asyncDispose]()
    setDisk(await reopen!())
    expect(disk()).toMatchObject({ blockSize: BLOCK_SIZE, blockCount: BLOCK_COUNT })
    expectBytes(await readBlocks(disk(), 2, 5), pattern(5, 13))
  })

  it('refuses every change when it is read-only, and reads', async ({ skip }) => {
    const { reopenReadOnly } = fixture
    skip(reopenReadOnly === undefined, 'fixture has no reopenReadOnly()')
    await disk().write(2, pattern(1, 14))
    await disk().flush()
    await disk()[Symbol.asyncDispose]()
    setDisk(await reopenReadOnly!())
    expect(disk().readOnly).toBe(true)
    expect(await codeOf(() => disk().write(2, new Uint8Array(BLOCK_SIZE)))).toBe('PCIKIT_BLOCK_READ_ONLY')
    expect(await codeOf(() => disk().writeZeroes(2, 1))).toBe('PCIKIT_BLOCK_READ_ONLY')
    const attempt = await codeOf(() => void disk().tryWrite?.(2, new Uint8Array(BLOCK_SIZE), 0, BLOCK_SIZE))
    expect(attempt).toBe(disk().tryWrite && 'PCIKIT_BLOCK_READ_ONLY')
    await disk().flush()
    expectBytes(await readBlocks(disk(), 2, 1), pattern(1, 14))
  })
}

function describeResizing (disk: () => BlockBackend, fixture: BlockBackendFixture): void {
  it('finds no other size where there is none, nor once it is closed', async ({ skip }) => {
    skip(disk().checkSize === undefined, 'the back end has no checkSize()')
    const isOther = await disk().checkSize!()
    await disk()[Symbol.asyncDispose]()
    expect([isOther, await disk().checkSize!(), disk().blockCount]).toEqual([false, false, BLOCK_COUNT])
  })

  it('takes over a larger size when it looks, and stores in what is new', async ({ skip }) => {
    const { resize } = fixture
    skip(resize === undefined, 'fixture has no resize()')
    await resize!(2 * BLOCK_COUNT)
    const early = await codeOf(() => disk().write(BLOCK_COUNT, pattern(1, 17)))
    expect([early, disk().blockCount]).toEqual(['PCIKIT_BLOCK_OUT_OF_RANGE', BLOCK_COUNT])
    expect([await disk().checkSize!(), disk().blockCount]).toEqual([true, 2 * BLOCK_COUNT])
    await disk().write(2 * BLOCK_COUNT - 1, pattern(1, 17))
    expectBytes(await readBlocks(disk(), 2 * BLOCK_COUNT - 1, 1), pattern(1, 17))
    expectBytes(await readBlocks(disk(), BLOCK_COUNT, 1), new Uint8Array(BLOCK_SIZE))
  })

  it('refuses what is past a smaller size, and serves the rest', async ({ skip }) => {
    const { resize } = fixture
    skip(resize === undefined, 'fixture has no resize()')
    await disk().write(0, pattern(BLOCK_COUNT, 18))
    await resize!(10)
    expect([await disk().checkSize!(), disk().blockCount]).toEqual([true, 10])
    expectBytes(await readBlocks(disk(), 0, 10), pattern(BLOCK_COUNT, 18).subarray(0, 10 * BLOCK_SIZE))
    expect(await codeOf(() => disk().read(9, new Uint8Array(2 * BLOCK_SIZE)))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().write(10, pattern(1, 19)))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().writeZeroes(0, 11))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
  })
}

/** Polls until all of these are answered. The event loop stands still meanwhile: only microtasks run. */
async function pollUntilAnswered (disk: BlockBackend, requests: readonly (void | Promise<void>)[]): Promise<void> {
  let answered = 0
  const answers = requests.map(request => Promise.resolve(request).then(() => answered += 1))
  const deadline = Date.now() + 5_000
  while (answered < requests.length) {
    if (Date.now() > deadline) throw new Error(`poll() found ${answered} of ${requests.length} answers in 5 seconds.`)
    disk.poll!()
    await Promise.resolve()
  }
  await Promise.all(answers)
}

function describePolling (disk: () => BlockBackend): void {
  it('finds the answers to reads, writes and flushes when it is polled', async ({ skip }) => {
    skip(disk().poll === undefined, 'the back end has no poll()')
    const lbas = Array.from({ length: 16 }, (_, index) => index)
    await pollUntilAnswered(disk(), lbas.map(lba => disk().write(lba, pattern(1, lba))))
    const targets = lbas.map(() => new Uint8Array(BLOCK_SIZE).fill(GUARD))
    await pollUntilAnswered(disk(), lbas.map(lba => disk().read(lba, targets[lba]!)))
    await pollUntilAnswered(disk(), [disk().flush()])
    expectBytes(Buffer.concat(targets), await readBlocks(disk(), 0, 16))
  })

  it('finds nothing when it is polled while nothing is asked, or after it was closed', async ({ skip }) => {
    skip(disk().poll === undefined, 'the back end has no poll()')
    await disk().write(0, pattern(1, 1))
    await disk().flush()
    const idle = disk().poll!()
    await disk()[Symbol.asyncDispose]()
    expect([idle, disk().poll!()]).toEqual([false, false])
  })
}

function describeForgetting (disk: () => BlockBackend): void {
  it('reads zeroes whatever was written', async () => {
    await disk().write(2, pattern(5, 15))
    await disk().writeZeroes(3, 1)
    await disk().discard?.(4, 1)
    expectBytes(await readBlocks(disk(), 0, 8), new Uint8Array(8 * BLOCK_SIZE))
  })

  it('reads zeroes into pieces and touches nothing around them', async () => {
    const target = pieces(1000, 24)
    await disk().read(5, target)
    expectBytes(gather(target), new Uint8Array(1024))
    expectBytes(target.arrays[0]!.subarray(1008), new Uint8Array(8).fill(GUARD))
  })
}

function describeRefusals (disk: () => BlockBackend): void {
  const block = new Uint8Array(BLOCK_SIZE)

  it.each([
    ['one block past the end', BLOCK_COUNT, 1],
    ['one that begins inside and ends past the end', BLOCK_COUNT - 1, 2],
    ['one before the first block', -1, 1],
    ['a fraction of a block', 0.5, 1],
    ['the largest address there is', Number.MAX_SAFE_INTEGER, 1],
    ['an address beyond 2^53', 2 ** 64 - 1, 1],
    ['no number', Number.NaN, 1],
    ['an address without end', Number.POSITIVE_INFINITY, 1]
  ])('refuses to read, write or change %s', async (_, lba, blockCount) => {
    const buffer = new Uint8Array(blockCount * BLOCK_SIZE)
    expect(await codeOf(() => disk().read(lba, buffer))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().write(lba, buffer))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().writeZeroes(lba, blockCount))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
  })

  it.each([-1, 1.5, Number.NaN, BLOCK_COUNT + 1, 2 ** 64])('refuses to zero %d blocks', async blockCount => {
    expect(await codeOf(() => disk().writeZeroes(0, blockCount))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
  })

  it('refuses to discard past its end', async ({ skip }) => {
    skip(!disk().supportsDiscard, 'the back end does not discard')
    expect(await codeOf(() => disk().discard!(BLOCK_COUNT - 1, 2))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().discard!(0, 2 ** 64))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
  })

  it('refuses a buffer that is not whole blocks', async () => {
    expect(await codeOf(() => disk().read(0, pieces(500)))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
    expect(await codeOf(() => disk().write(0, new Uint8Array(513)))).toBe('PCIKIT_BLOCK_OUT_OF_RANGE')
  })

  it('changes nothing when it refuses a write', async () => {
    await codeOf(() => disk().write(BLOCK_COUNT - 1, pattern(2, 16)))
    await disk().read(BLOCK_COUNT - 1, block)
    expectBytes(block, new Uint8Array(BLOCK_SIZE))
  })

  it('fails to read into memory that was taken away, and serves on', async () => {
    const target = pieces(100, 412)
    structuredClone(target.arrays[1]!.buffer, { transfer: [target.arrays[1]!.buffer as ArrayBuffer] })
    await expect((async () => disk().read(0, target))()).rejects.toThrow()
    expect(await codeOf(() => disk().read(0, block))).toBeUndefined()
  })

  it('still serves after a refusal', async () => {
    await codeOf(() => disk().read(BLOCK_COUNT, block))
    expect(await codeOf(() => disk().read(0, block))).toBeUndefined()
  })
}

function describeClosing (disk: () => BlockBackend): void {
  it('refuses everything once it is closed', async () => {
    const { discard } = disk()
    await disk()[Symbol.asyncDispose]()
    const block = new Uint8Array(BLOCK_SIZE)
    expect(await codeOf(() => disk().read(0, block))).toBe('PCIKIT_BLOCK_CLOSED')
    expect(await codeOf(() => disk().write(0, block))).toBe('PCIKIT_BLOCK_CLOSED')
    expect(await codeOf(() => disk().writeZeroes(0, 1))).toBe('PCIKIT_BLOCK_CLOSED')
    expect(await codeOf(() => disk().flush())).toBe('PCIKIT_BLOCK_CLOSED')
    expect(await codeOf(() => discard?.call(disk(), 0, 1))).toBe(discard && 'PCIKIT_BLOCK_CLOSED')
  })

  it('can be closed again', async () => {
    await disk()[Symbol.asyncDispose]()
    await disk()[Symbol.asyncDispose]()
    expect(await codeOf(() => disk().flush())).toBe('PCIKIT_BLOCK_CLOSED')
  })

  it('answers what is in flight when it is closed', async () => {
    const answers = Array.from({ length: 16 }, (_, lba) => Promise.resolve(disk().write(lba, pattern(1, lba))))
    await disk()[Symbol.asyncDispose]()
    expect(await Promise.allSettled(answers)).toEqual(answers.map(() => ({ status: 'fulfilled', value: undefined })))
  })
}
