import { DmaFault } from '@pcikit/core'
import { FeatureSet } from '@pcikit/virtio'
import { describe, expect, it } from 'vitest'
import { BlkConfig } from '../src/layouts.js'
import { virtioBlkOptionsSchema } from '../src/options.js'
import { BlkFeature, BlkStatus, RequestType } from '../src/protocol.js'
import { openZones } from '../src/zones/open-zones.js'
import { FakeChain } from './fakes/fake-chain.js'
import { Harness, requestBytes, segments } from './fakes/harness.js'
import { closeGate, RecordingBackend } from './fakes/recording-backend.js'
import type { RecordingOptions } from './fakes/recording-backend.js'

const { IN, OUT, WRITE_ZEROES, SECURE_ERASE, ZONE_APPEND, ZONE_REPORT, ZONE_OPEN, ZONE_RESET } = RequestType
/** Sectors of a zone: there are eight. The first is conventional. */
const ZONE = 256

async function build (options: Record<string, unknown> = {}, backend: RecordingOptions = {}, without: number[] = []) {
  const parsed = virtioBlkOptionsSchema.parse({ zoned: 'zoneSize=128KiB,conventional=1', ...options })
  const storage = new RecordingBackend(backend)
  const zones = await openZones(parsed.zoned!, storage, 2048)
  const disk = new Harness(storage, {
    options: { zoned: 'zoneSize=128KiB,conventional=1', ...options },
    zones,
    without
  })
  return { disk, storage, zones }
}

const sectors = (count: number, value = 0xaa): Uint8Array => new Uint8Array(count * 512).fill(value)

function writePointer (disk: Harness, zone: number): number {
  const report = disk.send({ type: ZONE_REPORT, sector: zone * ZONE }, 128)
  return Number(new DataView(report.data.slice().buffer).getBigUint64(80, true))
}

describe.each([false, true])('a zoned disk, its back end answering later: %s', isAsync => {
  it('takes writes at the write pointer only', async () => {
    const { disk } = await build({}, { isAsync })
    const first = await disk.done({ type: OUT, sector: ZONE, data: sectors(4) })
    const ahead = await disk.done({ type: OUT, sector: ZONE + 8, data: sectors(1) })
    const next = await disk.done({ type: OUT, sector: ZONE + 4, data: sectors(4) })
    const conventional = await disk.done({ type: OUT, sector: 100, data: sectors(1) })
    expect([first, ahead, next, conventional].map(({ status }) => status))
      .toEqual([0, BlkStatus.ZONE_UNALIGNED_WP, 0, 0])
    expect(writePointer(disk, 1)).toBe(ZONE + 8)
  })

  it('appends, and says where', async () => {
    const { disk, storage } = await build({}, { isAsync })
    await disk.done({ type: OUT, sector: ZONE, data: sectors(2) })
    const chain = await disk.done({ type: ZONE_APPEND, sector: ZONE, data: sectors(2, 0xbb) }, 8)
    expect([chain.status, chain.written]).toEqual([BlkStatus.OK, 9])
    expect(new DataView(chain.data.slice().buffer).getBigUint64(0, true)).toBe(BigInt(ZONE + 2))
    expect(storage.bytesAt(ZONE + 3)).toEqual(sectors(1, 0xbb))
  })

  it('takes a write that failed back', async () => {
    const { disk, storage } = await build({}, { isAsync })
    storage.failure = new Error('worn out')
    expect((await disk.done({ type: OUT, sector: ZONE, data: sectors(4) })).status).toBe(BlkStatus.IOERR)
    expect(writePointer(disk, 1)).toBe(ZONE)
  })

  it('hides what was not written since the reset of a zone', async () => {
    const { disk } = await build({}, { isAsync, supportsDiscard: false })
    await disk.done({ type: OUT, sector: ZONE, data: sectors(4) })
    await disk.done({ type: ZONE_RESET, sector: ZONE })
    await disk.done({ type: OUT, sector: ZONE, data: sectors(1, 0xbb) })
    const read = await disk.done({ type: IN, sector: ZONE }, 2048)
    expect(read.data).toEqual(Uint8Array.from([...sectors(1, 0xbb), ...sectors(3, 0)]))
  })

  it('takes zeroes as writes', async () => {
    const { disk } = await build({}, { isAsync })
    const ahead = await disk.done({ type: WRITE_ZEROES, data: segments([ZONE + 1, 4]) })
    const two = await disk.done({ type: WRITE_ZEROES, data: segments([ZONE, 4], [ZONE + 4, 2]) })
    expect([ahead.status, two.status]).toEqual([BlkStatus.ZONE_UNALIGNED_WP, 0])
    expect(writePointer(disk, 1)).toBe(ZONE + 6)
  })

  it('erases whole zones, and resets them', async () => {
    const { disk } = await build({ secureErase: true }, { isAsync })
    await disk.done({ type: OUT, sector: ZONE, data: sectors(4) })
    expect((await disk.done({ type: SECURE_ERASE, data: segments([ZONE, 4]) })).status).not.toBe(BlkStatus.OK)
    expect((await disk.done({ type: SECURE_ERASE, data: segments([ZONE, ZONE]) })).status).toBe(BlkStatus.OK)
    expect(writePointer(disk, 1)).toBe(ZONE)
  })
})

describe('a zoned disk', () => {
  it('reports zones, and how much it wrote', async () => {
    const { disk } = await build()
    const chain = disk.send({ type: ZONE_REPORT }, 64 * 4)
    expect([chain.status, chain.written]).toEqual([BlkStatus.OK, 257])
    expect(disk.send({ type: ZONE_REPORT, sector: 8 * ZONE }, 256).status).toBe(BlkStatus.ZONE_INVALID_CMD)
  })

  it('refuses what it does not know of zones', async () => {
    const { disk } = await build()
    expect(disk.send({ type: ZONE_OPEN, sector: 1 }).status).toBe(BlkStatus.ZONE_INVALID_CMD)
    expect(disk.send({ type: 17 }).status).toBe(BlkStatus.UNSUPP)
    expect(disk.send({ type: IN, sector: 2 * ZONE - 1 }, 1024).status).toBe(BlkStatus.ZONE_INVALID_CMD)
  })

  it('needs room for the answer to an append', async () => {
    const { disk, storage } = await build()
    expect(disk.send({ type: ZONE_APPEND, sector: ZONE, data: sectors(1) }, 7).status).toBe(BlkStatus.IOERR)
    expect(disk.send({ type: ZONE_APPEND, sector: ZONE, data: sectors(1).subarray(1) }, 8).status).toBe(BlkStatus.IOERR)
    expect(storage.calls).toEqual([])
  })

  it('fails an append that cannot say where it went', async () => {
    const { disk } = await build()
    const chain = new FakeChain({
      readable: requestBytes({ type: ZONE_APPEND, sector: ZONE, data: sectors(1) }),
      writableBytes: 9
    })
    chain.writable.copyFault = offset => offset === 0 ? DmaFault.UNMAPPED : DmaFault.NONE
    disk.take(chain)
    expect([chain.status, chain.written]).toEqual([BlkStatus.IOERR, 1])
  })

  it('flushes write pointers after each write where the driver has no write cache', async () => {
    const { disk, storage } = await build({}, {}, [BlkFeature.FLUSH])
    disk.send({ type: OUT, sector: ZONE, data: sectors(1) })
    expect(storage.calls).toEqual([`write ${ZONE} 1`, 'flush'])
  })

  it('is not changed where it is read-only', async () => {
    const { disk } = await build({ readOnly: true })
    const statuses = [ZONE_OPEN, ZONE_RESET].map(type => disk.send({ type, sector: ZONE }).status)
    expect([...statuses, disk.send({ type: ZONE_APPEND, sector: ZONE, data: sectors(1) }, 8).status]).toEqual([1, 1, 1])
  })

  it('is only for drivers that know of zones', async () => {
    const { disk } = await build()
    expect(disk.model.negotiated(new FeatureSet([BlkFeature.FLUSH]))).toContain('zones')
    expect(disk.model.negotiated(new FeatureSet([BlkFeature.ZONED]))).toBe(undefined)
  })

  it('says nothing of zones to drivers that do not know them, where they need not', async () => {
    const { disk } = await build({ zoned: 'model=host-aware,zoneSize=128KiB' })
    const zoneSectors = (): number => BlkConfig.zoneSectors.get(disk.config.view, 0)
    expect(zoneSectors()).toBe(ZONE)
    expect(disk.model.negotiated(new FeatureSet())).toBe(undefined)
    expect(zoneSectors()).toBe(0)
    expect(disk.send({ type: ZONE_REPORT }, 256).status).toBe(BlkStatus.UNSUPP)
    expect(disk.send({ type: OUT, sector: 1000, data: sectors(1) }).status).toBe(BlkStatus.OK)
  })

  it('keeps writes in order while an early one is under way', async () => {
    const { disk, storage } = await build()
    const gate = closeGate(storage)
    const chains = [0, 1, 2].map(slot =>
      disk.send({ type: OUT, sector: ZONE + slot, data: sectors(1, slot) }, 0, { slot })
    )
    gate.release()
    await Promise.all(chains.map(({ completed }) => completed))
    expect(chains.map(({ status }) => status)).toEqual([0, 0, 0])
    expect(writePointer(disk, 1)).toBe(ZONE + 3)
  })
})
