import { AssertionError, DmaFault, PcikitError, silentLogger } from '@pcikit/core'
import { describe, expect, it, vi } from 'vitest'
import { BlkFeature, BlkStatus, RequestType } from '../src/protocol.js'
import { FakeChain } from './fakes/fake-chain.js'
import { Harness, requestBytes } from './fakes/harness.js'
import { RecordingBackend } from './fakes/recording-backend.js'

function harness (settings: ConstructorParameters<typeof Harness>[1] = {}): Harness {
  return new Harness(new RecordingBackend(), settings)
}

const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index * 7 & 0xff)

describe.each([false, true])('a read or a write, its back end answering later: %s', isAsync => {
  const build = (settings: ConstructorParameters<typeof Harness>[1] = {}): Harness =>
    new Harness(new RecordingBackend({ isAsync }), settings)

  it('reads what was written', async () => {
    const disk = build()
    const data = pattern(4096)
    const write = await disk.done({ type: RequestType.OUT, sector: 8, data })
    const read = await disk.done({ type: RequestType.IN, sector: 8 }, 4096)
    expect([write.status, write.written, read.status, read.written]).toEqual([0, 1, 0, 4097])
    expect(read.data).toEqual(data)
  })

  it('takes any framing of the data', async () => {
    const disk = build()
    const data = pattern(1024)
    await disk.done({ type: RequestType.OUT, sector: 3, data }, 0, { cut: 7 })
    const read = await disk.done({ type: RequestType.IN, sector: 3 }, 1024, { cut: 13 })
    expect(read.data).toEqual(data)
    expect(disk.backend.calls).toEqual(['write 3 2', 'read 3 2'])
  })

  it('fails with an I/O error, and claims no data, where the back end fails', async () => {
    const disk = build()
    disk.backend.failure = new Error('worn out')
    const read = await disk.done({ type: RequestType.IN }, 512)
    disk.backend.failure = new Error('worn out')
    const write = await disk.done({ type: RequestType.OUT, data: pattern(512) })
    expect([read.status, read.written, write.status, write.written]).toEqual([1, 1, 1, 1])
    expect(disk.failures).toEqual([])
  })

  it('lets go of memory before it tells the driver', async () => {
    const disk = build()
    const chain = new FakeChain({ readable: requestBytes({ type: RequestType.IN }), writableBytes: 513 })
    const wasOpen: boolean[] = []
    chain.writable.copyFault = () => {
      wasOpen.push(chain.writable.lease.isOpen)
      return DmaFault.NONE
    }
    await disk.take(chain).completed
    expect(wasOpen).toEqual([false])
    expect(chain.writable.lease.commitCount).toBe(1)
  })

  it('flushes each write where the driver has no write cache', async () => {
    const disk = build({ without: [BlkFeature.FLUSH] })
    await disk.done({ type: RequestType.OUT, data: pattern(512) })
    expect(disk.backend.calls).toEqual(['write 0 1', 'flush'])
  })

  it('flushes when it is told to', async () => {
    const disk = build()
    await disk.done({ type: RequestType.OUT, data: pattern(512) })
    const flush = await disk.done({ type: RequestType.FLUSH })
    expect(disk.backend.calls).toEqual(['write 0 1', 'flush'])
    expect([flush.status, flush.written]).toEqual([0, 1])
  })

  it.each([
    ['a read that cannot be opened', RequestType.IN, (chain: FakeChain) => chain.writable, 'openFault'],
    ['a read that is not committed', RequestType.IN, (chain: FakeChain) => chain.writable.lease, 'commitFault'],
    ['a write that cannot be opened', RequestType.OUT, (chain: FakeChain) => chain.readable, 'openFault'],
    ['a write that cannot be fetched', RequestType.OUT, (chain: FakeChain) => chain.readable.lease, 'fetchFault'],
    ['a write that is not committed', RequestType.OUT, (chain: FakeChain) => chain.readable.lease, 'commitFault']
  ])('reports %s', async (_, type, place, fault) => {
    const disk = build()
    const data = type === RequestType.OUT ? pattern(512) : new Uint8Array()
    const chain = new FakeChain({ readable: requestBytes({ type, data }), writableBytes: type === 0 ? 513 : 1 })
    Object.assign(place(chain), { [fault]: DmaFault.UNMAPPED })
    await disk.take(chain).completed
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
  })

  it('waits for memory that is reached by message', async () => {
    const disk = build()
    const write = new FakeChain({ readable: requestBytes({ type: RequestType.OUT, data: pattern(512) }) })
    write.readable.copyFault = async () => DmaFault.NONE
    write.readable.lease.fetchFault = write.readable.lease.commitFault = Promise.resolve(DmaFault.NONE)
    write.writable.copyFault = async () => DmaFault.NONE
    await disk.take(write).completed
    expect([write.status, write.written]).toEqual([0, 1])
    expect(disk.backend.bytesAt(0)).toEqual(pattern(512))
  })
})

describe('a request', () => {
  it('is refused outside of the disk', () => {
    const disk = harness()
    const last = disk.backend.blockCount - 1
    const statuses = [last, last + 1, 2 ** 53, 2 ** 64 - 4096].map(sector =>
      disk.send({ type: RequestType.IN, sector }, 512).status
    )
    expect(statuses).toEqual([0, 1, 1, 1])
    expect(disk.send({ type: RequestType.OUT, sector: last, data: pattern(1024) }).status).toBe(BlkStatus.IOERR)
    expect(disk.backend.calls).toEqual([`read ${last} 1`])
  })

  it('is refused where it is not whole sectors', () => {
    const disk = harness()
    expect(disk.send({ type: RequestType.IN }, 511).status).toBe(BlkStatus.IOERR)
    expect(disk.send({ type: RequestType.OUT, data: pattern(513) }).status).toBe(BlkStatus.IOERR)
    expect(disk.backend.calls).toEqual([])
  })

  it('is refused where it is not whole blocks', () => {
    const disk = new Harness(new RecordingBackend({ blockSize: 4096 }), { options: { blockSize: 4096 } })
    const statuses = [[8, 4096], [9, 4096], [8, 512]].map(([sector = 0, byteLength = 0]) =>
      disk.send({ type: RequestType.IN, sector }, byteLength).status
    )
    expect(statuses).toEqual([0, 1, 1])
    expect(disk.backend.calls).toEqual(['read 1 1'])
  })

  it('of no data does nothing', () => {
    const disk = harness()
    expect([disk.send({ type: RequestType.IN }).status, disk.send({ type: RequestType.OUT }).status]).toEqual([0, 0])
    expect(disk.backend.calls).toEqual([])
  })

  it('sees the size that the back end has now', () => {
    const disk = harness()
    disk.backend.blockCount = 4
    expect(disk.send({ type: RequestType.IN, sector: 4 }, 512).status).toBe(BlkStatus.IOERR)
    expect(disk.send({ type: RequestType.IN, sector: 3 }, 512).status).toBe(BlkStatus.OK)
  })

  it.each([2, 3, 5, 9, 12, 16, 255, 0x8000_0000])('of type %i is not supported', type => {
    const chain = harness().send({ type }, 16)
    expect([chain.status, chain.written]).toEqual([BlkStatus.UNSUPP, 1])
    expect(chain.data).toEqual(new Uint8Array(16).fill(0xcc))
  })

  it('without room for its header or its status breaks the device', () => {
    const disk = harness()
    const short = disk.take(new FakeChain({ readable: new Uint8Array(15), writableBytes: 1 }))
    const mute = disk.take(new FakeChain({ readable: new Uint8Array(16), writableBytes: 0 }))
    expect([short.written, mute.written]).toEqual([0, 0])
    expect(disk.failures).toHaveLength(2)
  })

  it.each([DmaFault.UNMAPPED, Promise.resolve(DmaFault.PEER_FAILED)])('whose header is away fails', async fault => {
    const chain = new FakeChain({ readable: requestBytes({ type: RequestType.FLUSH }) })
    chain.readable.copyFault = () => fault
    await harness().take(chain).completed
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
  })

  it('keeps its header while that of another is on its way', async () => {
    const disk = harness()
    const slow = new FakeChain({ readable: requestBytes({ type: RequestType.IN, sector: 5 }), writableBytes: 513 })
    slow.readable.copyFault = async () => DmaFault.NONE
    disk.take(slow)
    disk.send({ type: RequestType.OUT, sector: 9, data: pattern(512) }, 0, { slot: 1 })
    await slow.completed
    expect(disk.backend.calls).toEqual(['write 9 1', 'read 5 1'])
  })

  it('that fails is logged once a second, and not where the driver asked for too much', () => {
    const error = vi.fn()
    const disk = harness({ logger: { ...silentLogger, error } })
    for (const message of ['one', 'two']) {
      disk.backend.failure = new Error(message)
      disk.send({ type: RequestType.IN }, 512)
    }
    expect(error).toHaveBeenCalledTimes(1)
    const quiet = harness({ logger: { ...silentLogger, error } })
    quiet.backend.failure = new PcikitError('PCIKIT_BLOCK_OUT_OF_RANGE', 'out of range')
    expect(quiet.send({ type: RequestType.IN }, 512).status).toBe(BlkStatus.IOERR)
    expect(error).toHaveBeenCalledTimes(1)
  })

  it('that finds a mistake of ours breaks the device', () => {
    const disk = harness()
    disk.backend.failure = new AssertionError('impossible')
    expect(disk.send({ type: RequestType.IN }, 512).status).toBe(BlkStatus.IOERR)
    expect(disk.failures).toHaveLength(1)
  })
})

describe('a read-only disk', () => {
  it('is read and not written', () => {
    const disk = harness({ options: { readOnly: true } })
    expect(disk.send({ type: RequestType.IN }, 512).status).toBe(BlkStatus.OK)
    expect(disk.send({ type: RequestType.OUT, data: pattern(512) }).status).toBe(BlkStatus.IOERR)
    expect(disk.send({ type: RequestType.FLUSH }).status).toBe(BlkStatus.OK)
    expect(disk.backend.calls).toEqual(['read 0 1', 'flush'])
  })
})

describe('GET_ID', () => {
  it('gives the serial number, padded with zeroes', () => {
    const chain = harness({ options: { serial: 'DISK0001' } }).send({ type: RequestType.GET_ID }, 20)
    expect(new TextDecoder().decode(chain.data)).toBe('DISK0001' + '\0'.repeat(12))
    expect([chain.status, chain.written]).toEqual([0, 21])
  })

  it('gives as much as there is room for', () => {
    const disk = harness({ options: { serial: '0123456789abcdefghij' } })
    const short = disk.send({ type: RequestType.GET_ID }, 4)
    expect(new TextDecoder().decode(short.data)).toBe('0123')
    expect(short.written).toBe(5)
    expect(disk.send({ type: RequestType.GET_ID }).status).toBe(BlkStatus.OK)
  })

  it('fails where its buffer is away', () => {
    const chain = new FakeChain({ readable: requestBytes({ type: RequestType.GET_ID }), writableBytes: 21 })
    chain.writable.copyFault = offset => offset === 0 ? DmaFault.NOT_WRITABLE : DmaFault.NONE
    harness().take(chain)
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
  })
})

describe('GET_LIFETIME', () => {
  it('tells what the options say', () => {
    const chain = harness({ options: { lifetime: '1,2,11' } }).send({ type: RequestType.GET_LIFETIME }, 6)
    expect([...chain.data]).toEqual([1, 0, 2, 0, 11, 0])
    expect([chain.status, chain.written]).toEqual([0, 7])
  })

  it('needs room for all of it', () => {
    const disk = harness({ options: { lifetime: '1,2,11' } })
    expect(disk.send({ type: RequestType.GET_LIFETIME }, 5).status).toBe(BlkStatus.IOERR)
  })

  it('is not supported where the storage does not tell, or the driver did not ask', () => {
    expect(harness().send({ type: RequestType.GET_LIFETIME }, 6).status).toBe(BlkStatus.UNSUPP)
    const disk = harness({ options: { lifetime: '1,2,11' }, without: [BlkFeature.LIFETIME] })
    expect(disk.send({ type: RequestType.GET_LIFETIME }, 6).status).toBe(BlkStatus.UNSUPP)
  })
})
