import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  encodeSegments,
  pattern,
  VirtioBlkFeature,
  VirtioBlkRequest,
  VirtioBlkStatus,
  VirtioFeature
} from '@pcikit/testkit'
import type { VirtioBlkQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, createFolder, until } from './testbed.js'
import { attachBlkGuest, serveVirtioBlk } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const MIB = 1024 * 1024
/** 4 MiB. */
const SECTORS = 8192
/** Virtio's vendor ID, 1040h plus the device type, and mass storage. */
const IDENTITY = [0x1af4, 0x1042, 0x01_0000]

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function start (options: Record<string, unknown> = {}, without: readonly number[] = []) {
  const { path, warnings } = await serveVirtioBlk(cleanup, options)
  const attached = await attachBlkGuest(cleanup, path, { interrupts: 'msix' })
  const [queue] = await attached.blk.start({ features: { without } })
  return { ...attached, queue: queue as VirtioBlkQueue, path, warnings }
}

describe('the virtio block device', () => {
  it('is a mass storage function, as drivers know it', async () => {
    const { guest } = await start()
    const { pci } = guest
    expect([await pci.vendorId(), await pci.deviceId(), await pci.classCode()]).toEqual(IDENTITY)
  })

  it('describes itself', async () => {
    const { blk } = await start({ optimalIo: 65536, physicalBlockSize: 4096 })
    expect(await blk.config()).toMatchObject({
      capacity: SECTORS,
      segMax: 254,
      blkSize: 512,
      physicalBlockExp: 3,
      optIoSize: 128,
      numQueues: 4,
      maxDiscardSeg: 32,
      writeZeroesMayUnmap: 1
    })
  })

  it('answers every request', async () => {
    const { queue } = await start({ serial: 'DISK0001', secureErase: true, lifetime: '1,2,3' })
    const data = pattern(8 * BLOCK_BYTES, 3)
    await queue.writeBytes(16, data)
    await queue.flush()
    expect(await queue.readBytes(16, data.length)).toEqual(data)
    expect(await queue.getId()).toBe('DISK0001')
    expect(await queue.getLifetime()).toEqual({ preEolInfo: 1, typA: 2, typB: 3 })
    await queue.discard([{ sector: 16, sectorCount: 1 }, { sector: 18, sectorCount: 1 }])
    await queue.writeZeroes([{ sector: 20, sectorCount: 1, unmap: true }])
    await queue.secureErase([{ sector: 22, sectorCount: 1 }])
    const expected = data.slice()
    for (const block of [0, 2, 4, 6]) expected.fill(0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    expect(await queue.readBytes(16, data.length)).toEqual(expected)
  })

  it('says how much it wrote', async () => {
    const { queue } = await start()
    const written = async (type: number, bytes: number, sector = 0): Promise<number> =>
      (await queue.submit({ type, sector, in: bytes })).written
    expect(await written(VirtioBlkRequest.IN, 1024)).toBe(1025)
    expect(await written(VirtioBlkRequest.IN, 1024, SECTORS)).toBe(1)
    expect(await written(VirtioBlkRequest.GET_ID, 20)).toBe(21)
    expect(await written(99, 64)).toBe(1)
  })

  it('refuses what it cannot do, and goes on', async () => {
    const { queue } = await start()
    const status = async (type: number, sector: number, out?: Uint8Array): Promise<number> =>
      (await queue.submit(out === undefined ? { type, sector, in: 512 } : { type, sector, out })).status
    const { IN, OUT, DISCARD, SECURE_ERASE } = VirtioBlkRequest
    expect(await status(IN, SECTORS)).toBe(VirtioBlkStatus.IOERR)
    expect(await status(OUT, 2 ** 60, new Uint8Array(512))).toBe(VirtioBlkStatus.IOERR)
    expect(await status(OUT, 0, new Uint8Array(100))).toBe(VirtioBlkStatus.IOERR)
    expect(await status(DISCARD, 0, encodeSegments([{ sector: 0, sectorCount: 1, unmap: true }]))).toBe(2)
    expect(await status(SECURE_ERASE, 0, encodeSegments([{ sector: 0, sectorCount: 1 }]))).toBe(2)
    expect(await status(IN, SECTORS - 1)).toBe(VirtioBlkStatus.OK)
  })

  it('needs a reset after a request without a header or a status', async () => {
    const { guest, blk, queue, warnings } = await start()
    const buffer = { iova: guest.memory.allocate(4096), byteLength: 15 }
    void queue.queue.submit({ readable: [buffer], writable: [] }, { timeoutMs: 0 }).catch(() => undefined)
    await until(async () => (await blk.device.common.status() & 64) !== 0)
    expect(warnings.join()).toContain('header')
    blk.device.abandon('The device needs a reset.')
    const [again] = await blk.start()
    await again!.flush()
  })

  it('does not change a read-only disk', async () => {
    const { blk, queue } = await start({ readOnly: true })
    expect(blk.has(VirtioBlkFeature.RO)).toBe(true)
    const { status } = await queue.submit({ type: VirtioBlkRequest.OUT, out: new Uint8Array(512).fill(1) })
    expect(status).toBe(VirtioBlkStatus.IOERR)
    expect(await queue.readBytes(0, 512)).toEqual(new Uint8Array(512))
  })

  it('leaves out what it is told to', async () => {
    const withoutFeatures = ['packed', 'indirect', 'event-idx', 'mq', 'flush']
    const { blk } = await start({ withoutFeatures })
    const absent = [VirtioFeature.RING_PACKED, VirtioFeature.INDIRECT_DESC, VirtioFeature.EVENT_IDX]
    expect([...absent, VirtioBlkFeature.MQ, VirtioBlkFeature.FLUSH].filter(bit => blk.has(bit))).toEqual([])
  })

  it.each([false, true])('answers in order only where it is told to: %s', async inOrder => {
    const { blk } = await start({ inOrder })
    expect(blk.has(VirtioFeature.IN_ORDER)).toBe(inOrder)
  })
})

describe('the write cache of a disk in a file', () => {
  async function startOnFile (without: readonly number[] = []) {
    const file = join(createFolder(cleanup), 'disk')
    writeFileSync(file, new Uint8Array(MIB))
    return start({ backend: `file:${file}` }, without)
  }

  it('is switched by the driver', async () => {
    const { blk, queue } = await startOnFile()
    expect(await blk.readField('writeback')).toBe(1)
    await blk.setWriteback(0)
    expect(await blk.readField('writeback')).toBe(0)
    await queue.writeBytes(0, pattern(512, 1))
    await blk.setWriteback(1)
    expect(await blk.readField('writeback')).toBe(1)
  })

  it('is off for a driver that cannot flush', async () => {
    const { blk } = await startOnFile([VirtioBlkFeature.FLUSH])
    expect(await blk.readField('writeback')).toBe(0)
  })

  it('is there again after a reset', async () => {
    const { blk } = await startOnFile()
    await blk.setWriteback(0)
    await blk.start()
    expect(await blk.readField('writeback')).toBe(1)
  })
})

describe('a disk in a file that gets another size while it is served', () => {
  async function startResizable (): Promise<BlkGuest & { queue: VirtioBlkQueue, file: string }> {
    const file = join(createFolder(cleanup), 'disk')
    writeFileSync(file, '')
    truncateSync(file, MIB)
    return { ...await start({ backend: `file:${file}`, resizeCheckMs: 5 }), file }
  }

  it('is larger when the file grew, of which the driver is told', async () => {
    const { blk, queue, file } = await startResizable()
    expect(await blk.readField('capacity')).toBe(2048)
    const change = new Promise<void>(resolve => {
      blk.device.onConfigChange = resolve
    })
    truncateSync(file, 3 * MIB)
    await change
    expect(await blk.readField('capacity')).toBe(6144)
    await queue.writeBytes(6143, pattern(512, 6))
    expect(await queue.readBytes(6143, 512)).toEqual(pattern(512, 6))
  })

  it('ends where it ends when the file shrank', async () => {
    const { blk, queue, file } = await startResizable()
    truncateSync(file, MIB / 2)
    await until(async () => await blk.readField('capacity') === 1024)
    expect((await queue.submit({ type: VirtioBlkRequest.IN, sector: 1024, in: 512 })).status).toBe(
      VirtioBlkStatus.IOERR
    )
    expect((await queue.submit({ type: VirtioBlkRequest.IN, sector: 1023, in: 512 })).status).toBe(VirtioBlkStatus.OK)
  })
})

describe('a zoned disk', () => {
  const { ZONE_APPEND, ZONE_REPORT, ZONE_RESET, OUT } = VirtioBlkRequest

  it('is written one zone after the other', async () => {
    const { blk, queue } = await start({ zoned: 'zoneSize=1MiB,conventional=1' })
    expect(await blk.config()).toMatchObject({ zoneSectors: 2048, model: 1, writeGranularity: 512 })
    const data = pattern(1024, 9)
    expect((await queue.submit({ type: OUT, sector: 2050, out: data })).status).toBe(VirtioBlkStatus.ZONE_UNALIGNED_WP)
    await queue.writeBytes(2048, data)
    const append = await queue.submit({ type: ZONE_APPEND, sector: 2048, out: data, in: 8 })
    expect([append.status, append.written]).toEqual([VirtioBlkStatus.OK, 9])
    expect(new DataView(append.data.slice().buffer).getBigUint64(0, true)).toBe(2050n)
    expect(await queue.readBytes(2048, 2560)).toEqual(Uint8Array.from([...data, ...data, ...new Uint8Array(512)]))
    const report = await queue.submit({ type: ZONE_REPORT, sector: 2048, in: 192 })
    const view = new DataView(report.data.slice().buffer)
    // The number of zones in it, and the write pointer of the first.
    expect([view.getBigUint64(0, true), view.getBigUint64(80, true)]).toEqual([2n, 2052n])
    expect((await queue.submit({ type: ZONE_RESET, sector: 2048 })).status).toBe(VirtioBlkStatus.OK)
    expect(await queue.readBytes(2048, 1024)).toEqual(new Uint8Array(1024))
  })

  it('refuses drivers that do not know of zones', async () => {
    await expect(start({ zoned: 'zoneSize=1MiB' }, [VirtioBlkFeature.ZONED])).rejects.toThrow()
  })
})
