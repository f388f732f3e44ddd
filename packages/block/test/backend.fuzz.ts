import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '@pcikit/core'
import type { SegmentList } from '@pcikit/core'
import { FileBackend, MemoryBackend } from '../src/index.js'
import type { BlockBackend } from '../src/index.js'
import { createScratchFolder } from './scratch-folder.js'
import type { ScratchFolder } from './scratch-folder.js'

const BLOCK_SIZE = 512
const BLOCK_COUNT = 512

/** SEED replays a run, FUZZ_MS sets how long each property is tried. */
const seed = process.env['SEED'] === undefined ? Date.now() & 0x7fff_ffff : Number(process.env['SEED'])
const parameters = {
  seed,
  interruptAfterTimeLimit: Number(process.env['FUZZ_MS'] ?? 10_000),
  numRuns: Number.MAX_SAFE_INTEGER
}

type Operation =
  | { readonly kind: 'write', readonly lba: number, readonly blockCount: number, readonly fill: number, cuts: number[] }
  | { readonly kind: 'read', readonly lba: number, readonly blockCount: number, readonly cuts: number[] }
  | { readonly kind: 'writeZeroes' | 'discard', readonly lba: number, readonly blockCount: number }
  | { readonly kind: 'flush' }

const range = {
  lba: fc.oneof(fc.nat(BLOCK_COUNT - 1), fc.constantFrom(0, 7, 8, 9, 511)),
  blockCount: fc.oneof(fc.nat(BLOCK_COUNT), fc.constantFrom(1, 8, 16, 128, 136))
}
const cuts = fc.array(fc.nat(BLOCK_COUNT * BLOCK_SIZE), { maxLength: 4 })

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write'), ...range, fill: fc.nat(255), cuts }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read'), ...range, cuts }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('writeZeroes', 'discard'), ...range }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush') }) }
)

/** The bytes of a write: each tells its own place. */
function dataOf (byteLength: number, fill: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, at) => (at * 31 + (at >>> 9) + fill) & 0xff)
}

/** An array as pieces of itself, cut at the given places. */
function cutUp (bytes: Uint8Array, places: readonly number[]): SegmentList {
  const inside = places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b)
  const starts = [0, ...inside]
  const ends = [...inside, bytes.length]
  return {
    byteLength: bytes.length,
    segmentCount: starts.length,
    bytesAt: () => bytes,
    offsetAt: index => starts[index]!,
    lengthAt: index => ends[index]! - starts[index]!
  }
}

/** What a back end must do, in the simplest way: an array. */
class ModelDisk {
  readonly #bytes = new Uint8Array(BLOCK_SIZE * BLOCK_COUNT)

  isInside (lba: number, blockCount: number): boolean {
    return lba + blockCount <= BLOCK_COUNT
  }

  read (lba: number, blockCount: number): Uint8Array {
    return this.#bytes.slice(lba * BLOCK_SIZE, (lba + blockCount) * BLOCK_SIZE)
  }

  write (lba: number, data: Uint8Array): void {
    this.#bytes.set(data, lba * BLOCK_SIZE)
  }
}

async function isRefused (request: () => void | Promise<void>): Promise<boolean> {
  try {
    await request()
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'PCIKIT_BLOCK_OUT_OF_RANGE' })
    return true
  }
}

/** Does one operation to both, and compares. */
async function step (disk: BlockBackend, model: ModelDisk, next: Operation): Promise<void> {
  if (next.kind === 'flush') {
    await disk.flush()
    return
  }
  const { lba, blockCount } = next
  const mustRefuse = !model.isInside(lba, blockCount)
  const buffer = next.kind === 'write' ?
    dataOf(blockCount * BLOCK_SIZE, next.fill) :
    new Uint8Array(blockCount * BLOCK_SIZE).fill(0xee)
  const refused = await isRefused(() => {
    if (next.kind === 'write') return disk.write(lba, cutUp(buffer, next.cuts))
    if (next.kind === 'read') return disk.read(lba, cutUp(buffer, next.cuts))
    return next.kind === 'discard' ? disk.discard?.(lba, blockCount) : disk.writeZeroes(lba, blockCount)
  })
  expect(refused).toBe(mustRefuse)
  if (refused) return
  if (next.kind === 'read') expect(Buffer.compare(buffer, model.read(lba, blockCount))).toBe(0)
  else model.write(lba, next.kind === 'write' ? buffer : buffer.fill(0))
}

async function compareWithModel (disk: BlockBackend, operations: readonly Operation[]): Promise<void> {
  const model = new ModelDisk()
  for (const next of operations) await step(disk, model, next)
  const all = new Uint8Array(BLOCK_SIZE * BLOCK_COUNT)
  await disk.read(0, all)
  expect(Buffer.compare(all, model.read(0, BLOCK_COUNT))).toBe(0)
}

describe(`a back end does what an array does; SEED=${seed}`, () => {
  let folder: ScratchFolder
  let fileCount = 0
  beforeAll(async () => {
    folder = await createScratchFolder()
  })
  afterAll(async () => {
    await folder.remove()
  })

  it('in memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async operations => {
        await using disk = MemoryBackend.open(BLOCK_SIZE * BLOCK_COUNT, { blockSize: BLOCK_SIZE })
        await compareWithModel(disk, operations)
      }),
      parameters
    )
  })

  it.each(['auto', 'threads'] as const)('in a file, moved by %s', async io => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async operations => {
        fileCount += 1
        const path = await folder.file(`disk-${fileCount % 4}.img`, BLOCK_SIZE * BLOCK_COUNT)
        const context = { blockSize: BLOCK_SIZE, logger: silentLogger }
        await using disk = await FileBackend.open({ path, readOnly: false, io }, context)
        await compareWithModel(disk, operations)
      }),
      parameters
    )
  })
})
