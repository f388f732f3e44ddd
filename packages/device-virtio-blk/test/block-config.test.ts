import { FeatureSet } from '@pcikit/virtio'
import { describe, expect, it } from 'vitest'
import { Disk } from '../src/disk.js'
import { offeredFeatures } from '../src/features.js'
import { BlkConfig } from '../src/layouts.js'
import { virtioBlkOptionsSchema } from '../src/options.js'
import { BlkFeature } from '../src/protocol.js'
import { Harness } from './fakes/harness.js'
import { RecordingBackend } from './fakes/recording-backend.js'
import type { RecordingOptions } from './fakes/recording-backend.js'

const { FLUSH, CONFIG_WCE } = BlkFeature
const WRITEBACK_AT = 32

function build (options: Record<string, unknown> = {}, backend: RecordingOptions = {}): Harness {
  return new Harness(new RecordingBackend(backend), { options })
}

function read ({ config }: Harness, ...fields: readonly Exclude<keyof typeof BlkConfig, 'byteLength'>[]): number[] {
  return fields.map(field => BlkConfig[field].get(config.view, 0))
}

describe('the configuration', () => {
  it('is 96 bytes, and says how large the disk is', () => {
    const disk = build()
    expect(disk.config.view.byteLength).toBe(96)
    expect(read(disk, 'capacity', 'blkSize', 'numQueues', 'segMax', 'sizeMax')).toEqual([2048, 512, 4, 254, 0])
  })

  it('counts in sectors whatever the block size', () => {
    const disk = build({ blockSize: 4096 }, { blockSize: 4096 })
    expect(read(disk, 'capacity', 'blkSize', 'discardSectorAlignment')).toEqual([2048, 4096, 8])
  })

  it.each([
    [1024 ** 2, [2, 16, 63]],
    [50 * 1024 ** 3, [52012, 32, 63]],
    [200 * 1024 ** 3, [52012, 128, 63]]
  ])('has a geometry for %i bytes that old systems can count', (byteLength, geometry) => {
    expect(read(build({}, { byteLength }), 'cylinders', 'heads', 'sectors')).toEqual(geometry)
  })

  it('says what transfers suit the storage', () => {
    const disk = build({ physicalBlockSize: 4096, minimumIo: 8192, optimalIo: 65536 })
    expect(read(disk, 'physicalBlockExp', 'alignmentOffset', 'minIoSize', 'optIoSize')).toEqual([3, 0, 16, 128])
  })

  it('limits ranges', () => {
    const disk = build({ secureErase: true })
    const discard = read(disk, 'maxDiscardSectors', 'maxDiscardSeg', 'discardSectorAlignment')
    const zeroes = read(disk, 'maxWriteZeroesSectors', 'maxWriteZeroesSeg', 'writeZeroesMayUnmap')
    const erase = read(disk, 'maxSecureEraseSectors', 'maxSecureEraseSeg', 'secureEraseSectorAlignment')
    expect([discard, zeroes, erase]).toEqual([[2 ** 22, 32, 1], [2 ** 22, 32, 1], [2 ** 22, 32, 1]])
  })

  it('says that zeroes give no storage back where the back end does not', () => {
    expect(read(build({}, { supportsDiscard: false }), 'writeZeroesMayUnmap', 'maxDiscardSeg')).toEqual([0, 0])
  })

  it('follows the size of the back end', () => {
    const disk = build()
    disk.backend.blockCount = 4096
    disk.config.sizeChanged()
    expect(read(disk, 'capacity', 'cylinders')).toEqual([4096, 4])
  })
})

describe('the write cache', () => {
  const negotiate = (disk: Harness, ...bits: readonly number[]): void => disk.config.negotiated(new FeatureSet(bits))

  it.each([
    [[FLUSH, CONFIG_WCE], {}, {}, true],
    [[FLUSH], {}, {}, true],
    [[CONFIG_WCE], {}, {}, false],
    [[], {}, {}, false],
    [[FLUSH, CONFIG_WCE], { writeCache: false }, {}, false],
    [[FLUSH, CONFIG_WCE], {}, { hasVolatileCache: false }, false]
  ])('with the features %j, the options %j and the back end %j is there: %s', (bits, options, backend, isWriteback) => {
    const disk = build(options, backend)
    negotiate(disk, ...bits)
    expect([disk.config.isWriteback, read(disk, 'writeback')]).toEqual([isWriteback, [isWriteback ? 1 : 0]])
  })

  it('is the choice of a driver that negotiated it', () => {
    const disk = build()
    negotiate(disk, FLUSH, CONFIG_WCE)
    disk.config.write(WRITEBACK_AT, 1, 0)
    expect(disk.config.isWriteback).toBe(false)
    disk.config.write(WRITEBACK_AT, 1, 0x80)
    expect([disk.config.isWriteback, read(disk, 'writeback')]).toEqual([true, [1]])
  })

  it('is found in wider writes', () => {
    const disk = build()
    negotiate(disk, FLUSH, CONFIG_WCE)
    disk.config.write(WRITEBACK_AT, 4, 0xffff_ff00)
    expect(disk.config.isWriteback).toBe(false)
    disk.config.write(WRITEBACK_AT - 4, 4, 0xffff_ffff)
    disk.config.write(WRITEBACK_AT + 2, 2, 0xffff)
    expect(disk.config.isWriteback).toBe(false)
  })

  it('is not to be chosen by others', () => {
    const disk = build()
    negotiate(disk, FLUSH)
    disk.config.write(WRITEBACK_AT, 1, 0)
    expect(disk.config.isWriteback).toBe(true)
  })

  it('is what the options say after a reset', () => {
    const disk = build()
    negotiate(disk, FLUSH, CONFIG_WCE)
    disk.config.write(WRITEBACK_AT, 1, 0)
    disk.model.reset()
    disk.config.write(WRITEBACK_AT, 1, 0)
    expect(disk.config.isWriteback).toBe(true)
  })
})

describe('the features', () => {
  const offered = (options: Record<string, unknown> = {}, backend: RecordingOptions = {}): FeatureSet => {
    const parsed = virtioBlkOptionsSchema.parse(options)
    return new FeatureSet(offeredFeatures(parsed, new Disk(new RecordingBackend(backend), parsed.readOnly)))
  }
  const always = [BlkFeature.SEG_MAX, BlkFeature.GEOMETRY, BlkFeature.BLK_SIZE, FLUSH, BlkFeature.TOPOLOGY, CONFIG_WCE]

  it('are these by default', () => {
    const expected = [...always, BlkFeature.MQ, BlkFeature.DISCARD, BlkFeature.WRITE_ZEROES]
    expect(offered().word(0)).toBe(new FeatureSet(expected).word(0))
  })

  it('of a read-only disk are these', () => {
    expect(offered({ secureErase: true, queues: 1 }, { readOnly: true }).word(0))
      .toBe(new FeatureSet([...always, BlkFeature.RO]).word(0))
  })

  it.each([
    [{ sizeMax: 4096 }, BlkFeature.SIZE_MAX, true],
    [{ secureErase: true }, BlkFeature.SECURE_ERASE, true],
    [{ lifetime: '1,1,1' }, BlkFeature.LIFETIME, true],
    [{ queues: 1 }, BlkFeature.MQ, false],
    [{ discard: false }, BlkFeature.DISCARD, false],
    [{ writeZeroes: false }, BlkFeature.WRITE_ZEROES, false],
    [{ zoned: true }, BlkFeature.ZONED, true],
    [{ zoned: true }, BlkFeature.DISCARD, false],
    [{ withoutFeatures: ['flush'] }, FLUSH, false],
    [{ withoutFeatures: ['flush'] }, CONFIG_WCE, false],
    [{ withoutFeatures: ['geometry', 'packed'] }, BlkFeature.GEOMETRY, false]
  ])('with %j have bit %i: %s', (options, bit, isOffered) => {
    expect(offered(options).has(bit)).toBe(isOffered)
  })
})
