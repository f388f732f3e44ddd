import type { BlockBackend } from '@pcikit/block'
import { expect, it } from 'vitest'
import type { BlockBackendFixture } from '../block-backend.js'
import { BLOCK_COUNT, BLOCK_SIZE, codeOf, expectBytes, GUARD, pattern, readBlocks } from '../block-samples.js'

/** `tryRead` and `tryWrite`, of back ends that have them. */
export function describeTries (disk: () => BlockBackend, fixture: BlockBackendFixture): void {
  it('reads at once what it can, and touches nothing around it', async ({ skip }) => {
    skip(disk().tryRead === undefined, 'the back end has no tryRead()')
    await disk().write(4, pattern(3, 20))
    const target = new Uint8Array(5 * BLOCK_SIZE).fill(GUARD)
    const isDone = disk().tryRead!(4, target, BLOCK_SIZE, 3 * BLOCK_SIZE)
    const expected = new Uint8Array(5 * BLOCK_SIZE).fill(GUARD)
    if (isDone) expected.set(fixture.forgets ? new Uint8Array(3 * BLOCK_SIZE) : pattern(3, 20), BLOCK_SIZE)
    expectBytes(target, expected)
  })

  it('reads zeroes at once where nothing was written', ({ skip }) => {
    skip(disk().tryRead === undefined, 'the back end has no tryRead()')
    const target = new Uint8Array(2 * BLOCK_SIZE).fill(GUARD)
    const isDone = disk().tryRead!(4, target, 0, 2 * BLOCK_SIZE)
    expectBytes(target, new Uint8Array(2 * BLOCK_SIZE).fill(isDone ? 0 : GUARD))
  })

  it('writes at once what it can, or nothing at all', async ({ skip }) => {
    skip(disk().tryWrite === undefined, 'the back end has no tryWrite()')
    const source = pattern(5, 21)
    const isDone = disk().tryWrite!(7, source, BLOCK_SIZE, 2 * BLOCK_SIZE)
    const isKept = isDone && fixture.forgets !== true
    const expected = new Uint8Array(4 * BLOCK_SIZE)
    if (isKept) expected.set(source.subarray(BLOCK_SIZE, 3 * BLOCK_SIZE), BLOCK_SIZE)
    expectBytes(await readBlocks(disk(), 6, 4), expected)
    expectBytes(source, pattern(5, 21))
  })

  it('refuses to try what it refuses to do', async ({ skip }) => {
    const { tryRead, tryWrite } = disk()
    skip(tryRead === undefined && tryWrite === undefined, 'the back end has neither tryRead() nor tryWrite()')
    const block = new Uint8Array(2 * BLOCK_SIZE)
    const refusals = (lba: number, byteLength: number): Promise<readonly unknown[]> => {
      const refusalOf = (attempt: typeof tryRead): unknown =>
        attempt && codeOf(() => void attempt.call(disk(), lba, block, 0, byteLength))
      return Promise.all([tryRead, tryWrite].map(refusalOf))
    }
    const each = (code: string): readonly unknown[] => [tryRead && code, tryWrite && code]
    expect(await refusals(BLOCK_COUNT - 1, 2 * BLOCK_SIZE)).toEqual(each('PCIKIT_BLOCK_OUT_OF_RANGE'))
    expect(await refusals(-1, BLOCK_SIZE)).toEqual(each('PCIKIT_BLOCK_OUT_OF_RANGE'))
    expect(await refusals(Number.NaN, BLOCK_SIZE)).toEqual(each('PCIKIT_BLOCK_OUT_OF_RANGE'))
    expect(await refusals(0, BLOCK_SIZE - 1)).toEqual(each('PCIKIT_BLOCK_OUT_OF_RANGE'))
    await disk()[Symbol.asyncDispose]()
    expect(await refusals(0, BLOCK_SIZE)).toEqual(each('PCIKIT_BLOCK_CLOSED'))
  })
}
