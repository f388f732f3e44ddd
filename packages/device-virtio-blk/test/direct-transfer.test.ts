import { DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { BlkFeature, BlkStatus, RequestType } from '../src/protocol.js'
import type { FakeChain, FakeChainOptions } from './fakes/fake-chain.js'
import { Harness } from './fakes/harness.js'
import { RecordingBackend } from './fakes/recording-backend.js'
import type { RecordingOptions } from './fakes/recording-backend.js'

const DATA_BYTES = 1024
const data = Uint8Array.from({ length: DATA_BYTES }, (_, index) => index * 7 & 0xff)

function build (options: RecordingOptions = {}, settings: ConstructorParameters<typeof Harness>[1] = {}): Harness {
  return new Harness(new RecordingBackend({ isDirect: true, ...options }), settings)
}

describe.each([['a read', RequestType.IN], ['a write', RequestType.OUT]])('%s', (_name, type) => {
  const isRead = type === RequestType.IN

  /** Has a request served for two blocks from sector 4 on. */
  function send (disk: Harness, options: FakeChainOptions = {}): Promise<FakeChain> {
    return disk.done({ type, sector: 4, data: isRead ? new Uint8Array() : data }, isRead ? DATA_BYTES : 0, options)
  }

  const openings = ({ readable, writable }: FakeChain): number => readable.lease.openings + writable.lease.openings

  it('has no lease where its data is in one piece', async () => {
    const disk = build()
    if (isRead) void disk.backend.write(4, data)
    const chain = await send(disk)
    const moved = isRead ? chain.data : disk.backend.bytesAt(4, DATA_BYTES)
    expect([chain.status, chain.written, openings(chain)]).toEqual([BlkStatus.OK, isRead ? DATA_BYTES + 1 : 1, 0])
    expect(moved).toEqual(data)
  })

  it('has one where it is in several', async () => {
    const chain = await send(build(), { cut: 512 })
    expect([chain.status, openings(chain)]).toEqual([BlkStatus.OK, 1])
  })

  it('has one where the back end cannot answer at once', async () => {
    const chain = await send(build({ isDirect: false }))
    expect([chain.status, openings(chain)]).toEqual([BlkStatus.OK, 1])
  })

  it('fails with an I/O error, and claims no data, where the back end fails', async () => {
    const disk = build()
    disk.backend.failure = new Error('worn out')
    const chain = await send(disk)
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
  })
})

it('is done again with a lease where the file of the client has become shorter meanwhile', async () => {
  const disk = build()
  const outcomes = [RequestType.IN, RequestType.OUT].map(async type => {
    const chain = disk.prepare({ type, data: type === RequestType.OUT ? data : new Uint8Array() }, DATA_BYTES)
    chain.readable.peekFault = chain.writable.peekFault = DmaFault.PAST_END_OF_FILE
    await disk.take(chain).completed
    return [chain.status, chain.readable.lease.openings + chain.writable.lease.openings]
  })
  expect(await Promise.all(outcomes)).toEqual([[BlkStatus.OK, 1], [BlkStatus.OK, 1]])
})

it('flushes after a write that had no lease, where the driver has no write cache', async () => {
  const disk = build({}, { without: [BlkFeature.FLUSH] })
  await disk.done({ type: RequestType.OUT, data })
  expect(disk.backend.calls).toEqual(['write 0 2', 'flush'])
})
