import { DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { RANGE_SECTORS_MAX, RANGE_SEGMENTS_MAX } from '../src/block-config.js'
import { BlkFeature, BlkStatus, RequestType } from '../src/protocol.js'
import { FakeChain } from './fakes/fake-chain.js'
import { Harness, requestBytes, segments } from './fakes/harness.js'
import { RecordingBackend } from './fakes/recording-backend.js'
import type { RecordingOptions } from './fakes/recording-backend.js'

const { DISCARD, WRITE_ZEROES, SECURE_ERASE } = RequestType
const UNMAP = 1

function harness (options: Record<string, unknown> = {}, backend: RecordingOptions = {}): Harness {
  return new Harness(new RecordingBackend(backend), { options })
}

describe.each([false, true])('a request with ranges, its back end answering later: %s', isAsync => {
  it('discards each of them', async () => {
    const disk = harness({}, { isAsync })
    const chain = await disk.done({ type: DISCARD, data: segments([8, 4], [100, 1], [50, 0]) })
    expect([chain.status, chain.written]).toEqual([0, 1])
    expect(disk.backend.calls).toEqual(['discard 8 4', 'discard 100 1'])
  })

  it('writes zeroes, and gives the storage back where it may', async () => {
    const disk = harness({}, { isAsync })
    disk.backend.fill(0, 16, 0xaa)
    await disk.done({ type: WRITE_ZEROES, data: segments([0, 2], [4, 2, UNMAP]) })
    expect(disk.backend.calls).toEqual(['zero 0 2', 'discard 4 2'])
    expect(disk.backend.bytesAt(5)).toEqual(new Uint8Array(512))
    expect(disk.backend.bytesAt(6)).toEqual(new Uint8Array(512).fill(0xaa))
  })

  it('writes zeroes where the back end cannot give storage back', async () => {
    const disk = harness({}, { isAsync, supportsDiscard: false })
    await disk.done({ type: WRITE_ZEROES, data: segments([4, 2, UNMAP]) })
    expect(disk.backend.calls).toEqual(['zero 4 2'])
  })

  it('overwrites what is erased, and makes that durable', async () => {
    const disk = harness({ secureErase: true }, { isAsync, byteLength: 4 * 1024 * 1024 })
    disk.backend.fill(0, 8192, 0xaa)
    const chain = await disk.done({ type: SECURE_ERASE, data: segments([8, 3000]) })
    expect(chain.status).toBe(BlkStatus.OK)
    expect(disk.backend.calls).toEqual(['write 8 2048', 'write 2056 952', 'flush'])
    expect(disk.backend.bytesAt(3007)).toEqual(new Uint8Array(512))
    expect(disk.backend.bytesAt(3008)).toEqual(new Uint8Array(512).fill(0xaa))
  })

  it('stops at the first range that fails', async () => {
    const disk = harness({}, { isAsync })
    disk.backend.failure = new Error('worn out')
    const chain = await disk.done({ type: DISCARD, data: segments([0, 1], [2, 1]) })
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
    expect(disk.backend.calls).toEqual(['discard 0 1'])
  })

  it('is durable at once where the driver has no write cache', async () => {
    const disk = new Harness(new RecordingBackend({ isAsync }), { without: [BlkFeature.FLUSH] })
    await disk.done({ type: WRITE_ZEROES, data: segments([0, 1]) })
    expect(disk.backend.calls).toEqual(['zero 0 1', 'flush'])
  })
})

describe('a request with ranges', () => {
  it.each([
    ['a discard that may give storage back, as it does anyway', DISCARD, UNMAP],
    ['a discard with an unknown flag', DISCARD, 2],
    ['zeroes with an unknown flag', WRITE_ZEROES, 0x8000_0001],
    ['an erasure with a flag', SECURE_ERASE, UNMAP]
  ])('does not support %s, whatever else is wrong', (_, type, flags) => {
    const disk = harness({ secureErase: true })
    const chain = disk.send({ type, data: segments([2 ** 40, 1], [0, 1, flags]) })
    expect([chain.status, chain.written]).toEqual([BlkStatus.UNSUPP, 1])
    expect(disk.backend.calls).toEqual([])
  })

  it.each([
    ['outside of the disk', segments([0, 1], [2047, 2])],
    ['at an address that is no number', segments([2 ** 60, 1])],
    ['that are too long', segments([0, RANGE_SECTORS_MAX + 1])],
    ['that are too many', segments(...Array.from({ length: RANGE_SEGMENTS_MAX + 1 }, () => [0, 1] as const))],
    ['that are cut off', segments([0, 1]).subarray(0, 15)],
    ['that are none', new Uint8Array()]
  ])('refuses ranges %s, and touches nothing', (_, data) => {
    const disk = harness()
    const chain = disk.send({ type: DISCARD, data })
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
    expect(disk.backend.calls).toEqual([])
  })

  it('takes as many ranges as it says', () => {
    const disk = harness()
    const ranges = Array.from({ length: RANGE_SEGMENTS_MAX }, (_, index) => [index * 2, 1] as const)
    expect(disk.send({ type: DISCARD, data: segments(...ranges) }).status).toBe(BlkStatus.OK)
    expect(disk.backend.calls).toHaveLength(RANGE_SEGMENTS_MAX)
  })

  it('refuses parts of blocks', () => {
    const disk = harness({ blockSize: 4096 }, { blockSize: 4096 })
    const statuses = [[8, 8], [4, 8], [8, 4]].map(([sector = 0, count = 0]) =>
      disk.send({ type: DISCARD, data: segments([sector, count]) }).status
    )
    expect(statuses).toEqual([0, 1, 1])
    expect(disk.backend.calls).toEqual(['discard 1 1'])
  })

  it('changes nothing of a read-only disk', () => {
    const disk = new Harness(new RecordingBackend(), { options: { readOnly: true } })
    const statuses = [DISCARD, WRITE_ZEROES].map(type => disk.send({ type, data: segments([0, 1]) }).status)
    expect(statuses).toEqual([BlkStatus.UNSUPP, BlkStatus.UNSUPP])
    expect(disk.backend.calls).toEqual([])
  })

  it.each([
    ['discard', DISCARD, { discard: false }],
    ['write zeroes', WRITE_ZEROES, { writeZeroes: false }],
    ['secure erase', SECURE_ERASE, {}]
  ])('does not support %s where it is not offered', (_, type, options) => {
    expect(harness(options).send({ type, data: segments([0, 1]) }).status).toBe(BlkStatus.UNSUPP)
  })

  it.each([DmaFault.UNMAPPED, Promise.resolve(DmaFault.UNMAPPED)])('fails where its list is away', async fault => {
    const disk = harness()
    const chain = new FakeChain({ readable: requestBytes({ type: DISCARD, data: segments([0, 1]) }) })
    chain.readable.copyFault = offset => offset === 0 ? DmaFault.NONE : fault
    await disk.take(chain).completed
    expect(chain.status).toBe(BlkStatus.IOERR)
    expect(disk.backend.calls).toEqual([])
  })

  it('does nothing where its queue was reset while the list was on its way', async () => {
    const disk = harness()
    const chain = new FakeChain({ readable: requestBytes({ type: DISCARD, data: segments([0, 1]) }) })
    chain.readable.copyFault = offset => offset === 0 ? DmaFault.NONE : Promise.resolve(DmaFault.NONE)
    disk.take(chain)
    chain.isLive = false
    await chain.completed
    expect([chain.written, disk.backend.calls]).toEqual([0, []])
  })
})
