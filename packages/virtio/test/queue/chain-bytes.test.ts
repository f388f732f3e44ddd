import { DmaFault, FaultPolicy } from '@pcikit/core'
import { pattern } from '@pcikit/testkit'
import type { ChainFraming } from '@pcikit/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { VirtqueueChain } from '../../src/chain.js'
import { Harness, turns, until } from './harness.js'
import type { HarnessOptions } from './harness.js'

const NOWHERE = 0x9000_0000

let harness: Harness

afterEach(() => harness.close())

/** A chain of 100 readable and 100 writable bytes with the device. */
async function takeChain (framing: ChainFraming = {}, options: HarnessOptions = {}) {
  harness = await Harness.create(options)
  const sent = pattern(100, 7)
  const readable = harness.buffer(sent)
  const writable = harness.space(100)
  const queue = harness.startQueue({ size: 256 })
  queue.add({ readable: [readable], writable: [writable] }, framing)
  await queue.kick()
  await until(() => harness.taken.length === 1)
  return { chain: harness.taken[0]!, queue, sent, readable, writable }
}

/** A chain whose buffers are nowhere. */
async function takeNowhere (options: HarnessOptions = {}): Promise<VirtqueueChain> {
  harness = await Harness.create(options)
  const queue = harness.startQueue()
  const buffers = [{ iova: NOWHERE, byteLength: 8 }]
  queue.add({ readable: buffers, writable: buffers })
  await queue.kick()
  await until(() => harness.taken.length === 1)
  return harness.taken[0]!
}

function bytesOf ({ lease }: VirtqueueChain['readable']): number[] {
  return Array.from({ length: lease.segmentCount }, (_, index) => {
    const start = lease.offsetAt(index)
    return [...lease.bytesAt(index).subarray(start, start + lease.lengthAt(index))]
  }).flat()
}

describe.each([{}, { cut: [1] }, { cut: [7, 3, 50] }, { cut: [9], indirect: true }])('a part cut by %j', framing => {
  it('is read from anywhere', async () => {
    const { chain, sent } = await takeChain(framing)
    for (const [offset, length] of [[0, 100], [0, 1], [99, 1], [10, 50], [59, 2], [100, 0]] as const) {
      const target = new Uint8Array(length)
      expect(chain.readable.read(offset, target)).toBe(DmaFault.NONE)
      expect(target).toEqual(sent.subarray(offset, offset + length))
    }
  })

  it('is written anywhere, and nowhere else', async () => {
    const { chain, writable } = await takeChain(framing)
    const expected = new Uint8Array(100)
    for (const [offset, length] of [[0, 3], [42, 30], [99, 1], [8, 2]] as const) {
      expect(chain.writable.write(offset, pattern(length, offset))).toBe(DmaFault.NONE)
      expected.set(pattern(length, offset), offset)
    }
    expect(harness.memory.bytesAt(writable.iova, 100)).toEqual(expected)
  })

  it('is leased from anywhere, again and again', async () => {
    const { chain, sent } = await takeChain(framing)
    const { readable } = chain
    for (const [offset, length] of [[0, 100], [3, 4], [98, 2], [50, 0]] as const) {
      expect(readable.open(offset, length)).toBe(DmaFault.NONE)
      expect(readable.lease.byteLength).toBe(length)
      expect(bytesOf(readable)).toEqual([...sent.subarray(offset, offset + length)])
      readable.lease.close()
    }
    expect(chain.readable.byteLength).toBe(100)
  })

  it('is closed with its chain', async () => {
    const { chain } = await takeChain(framing)
    chain.readable.open(0, 100)
    chain.writable.open(0, 50)
    chain.complete(50)
    expect(harness.dma.openLeaseCount).toBe(0)
  })
})

describe('a part', () => {
  it('does not go beyond its end', async () => {
    const { chain } = await takeChain()
    expect(() => chain.readable.open(1, 100)).toThrow('inside of the buffers')
    expect(() => chain.readable.read(100, new Uint8Array(1))).toThrow('inside of the buffers')
    expect(() => chain.writable.write(-1, new Uint8Array(1))).toThrow('inside of the buffers')
    expect(() => chain.complete(101)).toThrow('room')
  })

  it('is for one direction', async () => {
    const { chain } = await takeChain()
    expect(() => chain.readable.write(0, new Uint8Array(1))).toThrow('writable')
    expect(() => chain.writable.read(0, new Uint8Array(1))).toThrow('readable')
  })

  it('has a chain that is completed once', async () => {
    const { chain } = await takeChain()
    chain.complete(0)
    expect(() => chain.complete(0)).toThrow('once')
  })

  it('without memory faults, and its lease is open', async () => {
    const chain = await takeNowhere()
    expect(chain.readable.open(0, 8)).toBe(DmaFault.UNMAPPED)
    expect(chain.readable.lease.isOpen).toBe(true)
    expect(chain.readable.read(0, new Uint8Array(8))).toBe(DmaFault.UNMAPPED)
    expect(chain.writable.write(0, new Uint8Array(8))).toBe(DmaFault.UNMAPPED)
    chain.complete(0)
    await turns()
    expect([harness.broken, harness.dma.openLeaseCount]).toEqual([[], 0])
  })

  it('without memory stops the device with fault policy fatal', async () => {
    const chain = await takeNowhere({ faultPolicy: FaultPolicy.FATAL })
    chain.readable.open(0, 8)
    chain.complete(0)
    expect(harness.broken).toEqual(['Queue 0, head 0: its buffers cannot be reached.'])
  })

  it('without memory because bus mastering is off stops nothing', async () => {
    const chain = await takeNowhere({ faultPolicy: FaultPolicy.FATAL })
    harness.dma.setBusMaster(false)
    expect(chain.readable.read(0, new Uint8Array(8))).toBe(DmaFault.BUS_MASTER_OFF)
    harness.dma.setBusMaster(true)
    expect(chain.readable.read(0, new Uint8Array(8))).toBe(DmaFault.UNMAPPED)
    expect(harness.broken).toEqual([])
    chain.complete(0)
  })

  it('without memory is all ones with fault policy drop', async () => {
    const chain = await takeNowhere({ faultPolicy: FaultPolicy.DROP })
    const target = new Uint8Array(8)
    expect(chain.readable.read(0, target)).toBe(DmaFault.NONE)
    expect(target).toEqual(new Uint8Array(8).fill(0xff))
    expect(chain.writable.open(0, 8)).toBe(DmaFault.NONE)
    expect(await chain.writable.lease.commit()).toBe(DmaFault.NONE)
    chain.complete(8)
  })

  it('tells when its memory is taken away', async () => {
    const { chain } = await takeChain()
    chain.onRevoke = vi.fn()
    chain.writable.open(0, 100)
    await harness.memory.unmap(harness.client)
    expect(chain.onRevoke).toHaveBeenCalledOnce()
    chain.complete(0)
  })

  it('behind messages is copied across its descriptors', async () => {
    const shared = { iova: 0x10_0000, byteLength: 0x10_0000 }
    harness = await Harness.create({ regions: [shared, { iova: 0x80_0000, byteLength: 0x1000, shared: false }] })
    const sent = pattern(60, 3)
    harness.memory.store(0x80_0000, sent)
    const queue = harness.startQueue({ size: 32 })
    queue.add({ readable: [{ iova: 0x80_0000, byteLength: 60 }], writable: [{ iova: 0x80_0100, byteLength: 60 }] }, {
      cut: [25]
    })
    await queue.kick()
    await until(() => harness.taken.length === 1)
    const { readable, writable } = harness.taken[0]!
    const target = new Uint8Array(50)
    expect(await readable.read(5, target)).toBe(DmaFault.NONE)
    expect(target).toEqual(sent.subarray(5, 55))
    expect(await writable.write(5, target)).toBe(DmaFault.NONE)
    expect(harness.memory.bytesAt(0x80_0105, 50)).toEqual(target)
  })

  it('may have descriptors of no length', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue()
    const [data, room] = [harness.buffer(Uint8Array.of(5)), harness.space(2)]
    const empty = { addr: 0, len: 0 }
    queue.addRaw([
      { ...empty, flags: 1 },
      { addr: data.iova, len: 1, flags: 1 },
      { ...empty, flags: 3 },
      { addr: room.iova, len: 2, flags: 2 }
    ])
    await queue.kick()
    await until(() => harness.taken.length === 1)
    const { readable, writable } = harness.taken[0]!
    const target = new Uint8Array(1)
    expect([readable.byteLength, writable.byteLength, readable.read(0, target), target[0]]).toEqual([1, 2, 0, 5])
  })

  it('may be longer than 32 bits can tell', async () => {
    harness = await Harness.create()
    const queue = harness.startQueue()
    const long = { iova: 0x10_0000, byteLength: 0xffff_ffff }
    queue.add({ readable: [], writable: [long, long, harness.buffer(Uint8Array.of(9))] })
    await queue.kick()
    await until(() => harness.taken.length === 1)
    const [chain] = harness.taken
    expect(chain!.writable.byteLength).toBe(2 * 0xffff_ffff + 1)
    expect(chain!.writable.write(2 * 0xffff_ffff, Uint8Array.of(1))).toBe(DmaFault.NONE)
    expect(chain!.writable.open(0xffff_fffe, 2)).toBe(DmaFault.UNMAPPED)
    chain!.complete(2 * 0xffff_ffff + 1)
    await turns()
    expect(queue.ring.take()?.written).toBe(0xffff_ffff)
  })
})
