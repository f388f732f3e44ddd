import type { FeatureSet, VirtioConfig } from '@pcikit/virtio'
import type { Disk } from './disk.js'
import { BlkConfig } from './layouts.js'
import { BlkFeature } from './protocol.js'
import type { ZonedCharacteristics } from './zones/zones.js'

/** Sectors of one segment of a discard, of write zeroes or of a secure erase at most: 2 GiB. */
export const RANGE_SECTORS_MAX = 2 ** 22
/** Segments of one request at most. */
export const RANGE_SEGMENTS_MAX = 32

/** Sectors of one segment of a secure erase at most: a zone at least, since zones are erased as a whole. */
export function eraseSectorsMax (zoned: ZonedCharacteristics | undefined): number {
  return Math.max(RANGE_SECTORS_MAX, zoned?.zoneSectors ?? 0)
}

const SECTORS_PER_TRACK = 63
const CYLINDERS_MAX = 0xffff
/** Heads that disks of old had: the first with which all sectors are within reach. */
const HEADS = [16, 32, 64, 128, 255]

/** What the configuration says of the device, besides the disk. */
export interface ConfigDescription {
  readonly disk: Disk
  /** The features that are offered. */
  readonly offered: FeatureSet
  readonly queues: number
  readonly segMax: number
  readonly sizeMax: number
  /** In bytes, like the two that follow; those may be 0: not known. */
  readonly physicalBlockSize: number
  readonly minimumIo: number
  readonly optimalIo: number
  /** Whether the driver has a write cache to begin with. */
  readonly writeCache: boolean
  readonly zoned: ZonedCharacteristics | undefined
}

/** The configuration structure. [virtio] "Block Device", "Device configuration layout". */
export class BlockConfig implements VirtioConfig {
  readonly view = new DataView(new ArrayBuffer(BlkConfig.byteLength))
  readonly #description: ConfigDescription
  #canToggle = false
  #isWriteback = false

  constructor (description: ConfigDescription) {
    this.#description = description
    this.#describeRequests()
    this.#describeRanges()
    this.sizeChanged()
    this.reset()
  }

  /** Whether completed writes may wait for a flush before they are durable. */
  get isWriteback (): boolean {
    return this.#isWriteback
  }

  /** Takes the size of the disk over. */
  sizeChanged (): void {
    const { disk, offered } = this.#description
    const sectors = disk.sectorCount
    BlkConfig.capacity.set(this.view, 0, sectors)
    if (!offered.has(BlkFeature.GEOMETRY)) return
    const heads = HEADS.find(count => sectors / (count * SECTORS_PER_TRACK) <= CYLINDERS_MAX) ?? 255
    BlkConfig.cylinders.set(this.view, 0, Math.min(CYLINDERS_MAX, Math.floor(sectors / (heads * SECTORS_PER_TRACK))))
    BlkConfig.heads.set(this.view, 0, heads)
    BlkConfig.sectors.set(this.view, 0, SECTORS_PER_TRACK)
  }

  /** The driver toggles its cache; all other fields are read-only. */
  write (offset: number, size: number, value: number): void {
    const { writeback } = BlkConfig
    if (!this.#canToggle || offset > writeback.offset || offset + size <= writeback.offset) return
    this.#setWriteback((value >>> (writeback.offset - offset) * 8 & 0xff) !== 0)
  }

  /** The driver accepted features. [virtio] "Block Device", "Device Initialization". */
  negotiated (features: FeatureSet): void {
    const { disk, writeCache } = this.#description
    this.#canToggle = features.has(BlkFeature.CONFIG_WCE)
    // "If VIRTIO_BLK_F_CONFIG_WCE is negotiated but VIRTIO_BLK_F_FLUSH is not, the device MUST initialize writeback to
    // 0." A driver that cannot flush has nothing but writes that are durable at once.
    this.#setWriteback(features.has(BlkFeature.FLUSH) && disk.backend.hasVolatileCache && writeCache)
    this.#describeZones(features.has(BlkFeature.ZONED))
  }

  /** Back to the state of power-on. */
  reset (): void {
    const { disk, writeCache } = this.#description
    this.#canToggle = false
    this.#setWriteback(disk.backend.hasVolatileCache && writeCache)
    this.#describeZones(true)
  }

  #setWriteback (isWriteback: boolean): void {
    this.#isWriteback = isWriteback
    BlkConfig.writeback.set(this.view, 0, isWriteback ? 1 : 0)
  }

  #describeRequests (): void {
    const { view } = this
    const { disk, queues, segMax, sizeMax, physicalBlockSize, minimumIo, optimalIo } = this.#description
    const { blockSize } = disk.backend
    BlkConfig.sizeMax.set(view, 0, sizeMax)
    BlkConfig.segMax.set(view, 0, segMax)
    BlkConfig.blkSize.set(view, 0, blockSize)
    BlkConfig.physicalBlockExp.set(view, 0, Math.log2(physicalBlockSize / blockSize))
    BlkConfig.minIoSize.set(view, 0, minimumIo / blockSize)
    BlkConfig.optIoSize.set(view, 0, optimalIo / blockSize)
    BlkConfig.numQueues.set(view, 0, queues)
  }

  #describeRanges (): void {
    const { view } = this
    const { disk, offered, zoned } = this.#description
    if (offered.has(BlkFeature.DISCARD)) {
      BlkConfig.maxDiscardSectors.set(view, 0, RANGE_SECTORS_MAX)
      BlkConfig.maxDiscardSeg.set(view, 0, RANGE_SEGMENTS_MAX)
      BlkConfig.discardSectorAlignment.set(view, 0, disk.sectorsPerBlock)
    }
    if (offered.has(BlkFeature.WRITE_ZEROES)) {
      BlkConfig.maxWriteZeroesSectors.set(view, 0, RANGE_SECTORS_MAX)
      BlkConfig.maxWriteZeroesSeg.set(view, 0, RANGE_SEGMENTS_MAX)
      BlkConfig.writeZeroesMayUnmap.set(view, 0, disk.backend.supportsDiscard ? 1 : 0)
    }
    if (offered.has(BlkFeature.SECURE_ERASE)) {
      BlkConfig.maxSecureEraseSectors.set(view, 0, eraseSectorsMax(zoned))
      BlkConfig.maxSecureEraseSeg.set(view, 0, RANGE_SEGMENTS_MAX)
      BlkConfig.secureEraseSectorAlignment.set(view, 0, zoned?.zoneSectors ?? disk.sectorsPerBlock)
    }
  }

  /** "…while setting all zoned characteristics fields to zero", for a driver that does not know of zones. */
  #describeZones (isKnown: boolean): void {
    const { view } = this
    const zoned = isKnown ? this.#description.zoned : undefined
    BlkConfig.zoneSectors.set(view, 0, zoned?.zoneSectors ?? 0)
    BlkConfig.maxOpenZones.set(view, 0, zoned?.maxOpenZones ?? 0)
    BlkConfig.maxActiveZones.set(view, 0, zoned?.maxActiveZones ?? 0)
    BlkConfig.maxAppendSectors.set(view, 0, zoned?.maxAppendSectors ?? 0)
    BlkConfig.writeGranularity.set(view, 0, zoned?.writeGranularity ?? 0)
    BlkConfig.model.set(view, 0, zoned?.model ?? 0)
  }
}
