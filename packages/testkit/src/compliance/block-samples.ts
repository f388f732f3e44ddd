import { expect } from 'vitest'
import type { BlockBackend } from '@pcikit/block'
import type { SegmentList } from '@pcikit/core'

/** The storage under test: bytes of a block. */
export const BLOCK_SIZE = 512
/** And how many of them there are. */
export const BLOCK_COUNT = 64

/** What surrounds a buffer, to see that nothing is written next to it. */
export const GUARD = 0xee

/** A buffer in pieces of the given lengths, each inside an array of its own with guard bytes around it. */
export function pieces (...lengths: readonly number[]): SegmentList & { readonly arrays: readonly Uint8Array[] } {
  const arrays = lengths.map((length, index) => new Uint8Array(length + 2 * (index + 8)).fill(GUARD))
  return {
    arrays,
    byteLength: lengths.reduce((sum, length) => sum + length, 0),
    segmentCount: lengths.length,
    bytesAt: index => arrays[index]!,
    offsetAt: index => index + 8,
    lengthAt: index => lengths[index]!
  }
}

export function gather (list: SegmentList): Uint8Array {
  const parts = Array.from({ length: list.segmentCount }, (_, index) => {
    const offset = list.offsetAt(index)
    return list.bytesAt(index).subarray(offset, offset + list.lengthAt(index))
  })
  return new Uint8Array(Buffer.concat(parts))
}

export function scatter (list: SegmentList, data: Uint8Array): void {
  let done = 0
  for (let index = 0; index < list.segmentCount; index += 1) {
    const length = list.lengthAt(index)
    list.bytesAt(index).set(data.subarray(done, done + length), list.offsetAt(index))
    done += length
  }
}

/** Blocks whose every byte tells where it belongs. */
export function pattern (blockCount: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: blockCount * BLOCK_SIZE }, (_, at) => (at * 7 + (at >>> 8) * 13 + seed) & 0xff)
}

/** Where two arrays differ first; -1 when they are the same. */
function firstDifference (actual: Uint8Array, expected: Uint8Array): number {
  if (actual.length !== expected.length) return Math.min(actual.length, expected.length)
  return actual.findIndex((byte, index) => byte !== expected[index])
}

export function expectBytes (actual: Uint8Array, expected: Uint8Array): void {
  expect(firstDifference(actual, expected), 'the first byte that differs').toBe(-1)
}

/** The code of whatever a request throws or rejects with: callers need not tell these apart. */
export async function codeOf (request: () => void | Promise<void>): Promise<unknown> {
  try {
    await request()
  } catch (error) {
    return (error as { code?: unknown }).code
  }
  return undefined
}

export async function readBlocks (disk: BlockBackend, lba: number, blockCount: number): Promise<Uint8Array> {
  const target = new Uint8Array(blockCount * disk.blockSize).fill(GUARD)
  await disk.read(lba, target)
  return target
}
