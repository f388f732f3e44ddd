import type { BlockBackend, BlockBuffers } from '@pcikit/block'
import { BlkStatus, RequestType, SECTOR_BYTES } from '../protocol.js'
import { Turns } from './turns.js'
import { zeroBytes } from './unwritten.js'
import { ZonedModel, ZoneState } from './zone-constants.js'
import { ZoneReportLayout } from './zone-layouts.js'
import { reportZones } from './zone-report.js'
import { takeSnapshot } from './zone-snapshot.js'
import type { ZoneStateFile } from './zone-state-file.js'
import type { ZoneTable } from './zone-table.js'
import type { ZonedCharacteristics, ZoneManagement, Zones } from './zones.js'

/** The zones of a back end. */
export class BackedZones implements Zones {
  readonly characteristics: ZonedCharacteristics
  readonly capacitySectors: number
  readonly zoneCount: number
  appendSector: number
  readonly #table: ZoneTable
  readonly #backend: BlockBackend
  readonly #file: ZoneStateFile | undefined
  readonly #zoneSectors: number
  readonly #conventionalCount: number
  readonly #isHostAware: boolean
  /** Resets and finishes, which wait for writes. */
  readonly #turns: Turns
  #snapshot: Uint8Array | undefined
  #snapshotNumber: number
  /** Of the table, when the snapshot was taken. */
  #snapshotChanges: number

  /** The table is as the file has it, or as it starts. Without a file, nothing is kept. */
  constructor (table: ZoneTable, backend: BlockBackend, file: ZoneStateFile | undefined) {
    const { geometry } = table
    this.characteristics = {
      zoneSectors: geometry.zoneSectors,
      maxOpenZones: geometry.maxOpenZones,
      maxActiveZones: geometry.maxActiveZones,
      maxAppendSectors: geometry.maxAppendSectors,
      writeGranularity: geometry.granularitySectors * SECTOR_BYTES,
      model: geometry.model
    }
    this.capacitySectors = geometry.capacitySectors
    this.zoneCount = geometry.zoneCount
    this.appendSector = 0
    this.#table = table
    this.#backend = backend
    this.#file = file
    this.#zoneSectors = geometry.zoneSectors
    this.#conventionalCount = geometry.conventionalCount
    this.#isHostAware = geometry.model === ZonedModel.HOST_AWARE
    this.#turns = new Turns()
    this.#snapshot = undefined
    this.#snapshotNumber = 0
    // The first flush makes the file, or brings it up to date with what the options changed.
    this.#snapshotChanges = -1
  }

  checkRead (sector: number, sectorCount: number): BlkStatus {
    if (!this.#isInside(sector, sectorCount)) return BlkStatus.ZONE_INVALID_CMD
    const first = this.#zoneOf(sector)
    const last = this.#lastZoneOf(sector, sectorCount)
    // [virtio] "Block Device", "Device Operation": a request to a zone that requires sequential writes stays in it.
    if (first !== last && last >= this.#conventionalCount && !this.#isHostAware) return BlkStatus.ZONE_INVALID_CMD
    for (let zone = first; zone <= last; zone += 1) {
      if (this.#table.states[zone] === ZoneState.OFFLINE) return BlkStatus.ZONE_INVALID_CMD
    }
    return BlkStatus.OK
  }

  hideUnwritten (sector: number, target: BlockBuffers): void {
    const sectorCount = target.byteLength / SECTOR_BYTES
    const last = this.#lastZoneOf(sector, sectorCount)
    for (let zone = Math.max(this.#zoneOf(sector), this.#conventionalCount); zone <= last; zone += 1) {
      const start = zone * this.#zoneSectors
      const end = Math.min(sector + sectorCount, start + this.#zoneSectors)
      const hidden = Math.max(sector, start + this.#table.written[zone]!)
      if (hidden < end) zeroBytes(target, (hidden - sector) * SECTOR_BYTES, (end - sector) * SECTOR_BYTES)
    }
  }

  beginWrite (sector: number, sectorCount: number): BlkStatus {
    if (!this.#isInside(sector, sectorCount)) return BlkStatus.ZONE_INVALID_CMD
    if (sectorCount === 0) return BlkStatus.OK
    const first = this.#zoneOf(sector)
    const last = this.#lastZoneOf(sector, sectorCount)
    if (last < this.#conventionalCount) return BlkStatus.OK
    if (this.#isHostAware) return this.#beginRandomWrite(sector, sectorCount)
    if (first !== last) return BlkStatus.ZONE_INVALID_CMD
    return this.#table.beginWrite(first, sector - first * this.#zoneSectors, sectorCount)
  }

  beginAppend (sector: number, sectorCount: number): BlkStatus {
    const { maxAppendSectors } = this.characteristics
    if (maxAppendSectors === 0) return BlkStatus.UNSUPP
    if (sectorCount > maxAppendSectors || !this.#isZoneStart(sector)) return BlkStatus.ZONE_INVALID_CMD
    const zone = this.#zoneOf(sector)
    if (zone < this.#conventionalCount) return BlkStatus.ZONE_INVALID_CMD
    const offset = this.#table.written[zone]!
    this.appendSector = sector + offset
    if (sectorCount === 0) return this.#table.canWrite(zone) ? BlkStatus.OK : BlkStatus.ZONE_INVALID_CMD
    return this.#table.beginWrite(zone, offset, sectorCount)
  }

  endWrite (sector: number, sectorCount: number, succeeded: boolean): void {
    if (sectorCount === 0) return
    const last = this.#lastZoneOf(sector, sectorCount)
    for (let zone = Math.max(this.#zoneOf(sector), this.#conventionalCount); zone <= last; zone += 1) {
      this.#table.endWrite(zone, this.#endIn(zone, sector + sectorCount), succeeded)
    }
  }

  manage (request: ZoneManagement, sector: number): BlkStatus | Promise<BlkStatus> {
    if (this.#backend.readOnly) return BlkStatus.IOERR
    if (request === RequestType.ZONE_RESET_ALL) return this.#reset(this.#conventionalCount, this.zoneCount, false)
    if (!this.#isZoneStart(sector)) return BlkStatus.ZONE_INVALID_CMD
    const zone = this.#zoneOf(sector)
    switch (request) {
      case RequestType.ZONE_OPEN:
        return this.#whenFree(zone, () => this.#table.open(zone))
      case RequestType.ZONE_CLOSE:
        return this.#whenFree(zone, () => this.#table.close(zone))
      case RequestType.ZONE_FINISH:
        return this.#table.canManage(zone) ? this.#finish(zone) : BlkStatus.ZONE_INVALID_CMD
      case RequestType.ZONE_RESET:
        return this.#table.canManage(zone) ? this.#reset(zone, zone + 1, false) : BlkStatus.ZONE_INVALID_CMD
      default:
        return BlkStatus.UNSUPP
    }
  }

  erase (sector: number, sectorCount: number): BlkStatus | Promise<BlkStatus> {
    if (this.#backend.readOnly) return BlkStatus.IOERR
    if (sectorCount === 0) return BlkStatus.OK
    if (!this.#isInside(sector, sectorCount) || !this.#isZoneStart(sector)) return BlkStatus.ZONE_INVALID_CMD
    const end = sector + sectorCount
    if (end !== this.capacitySectors && !this.#isZoneStart(end)) return BlkStatus.ZONE_INVALID_CMD
    const first = this.#zoneOf(sector)
    const last = this.#lastZoneOf(sector, sectorCount)
    for (let zone = first; zone <= last; zone += 1) {
      if (!this.#table.canManage(zone)) return BlkStatus.ZONE_INVALID_CMD
    }
    return this.#reset(first, last + 1, true)
  }

  report (sector: number, byteLength: number): Uint8Array | undefined {
    if (sector >= this.capacitySectors || byteLength < ZoneReportLayout.byteLength) return undefined
    return reportZones(this.#table, this.#zoneOf(sector), byteLength)
  }

  flush (): void | Promise<void> {
    if (this.#file !== undefined) return this.#flushAndSave(this.#file)
    return this.#backend.hasVolatileCache ? this.#backend.flush() : undefined
  }

  deviceReset (): void {
    this.#table.closeAll()
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    // Resets and finishes that wait are answered before.
    await this.#turns.take(() => undefined)
    await this.flush()
  }

  /**
   * What the flush makes durable is what had ended before it: a later write could be lost, and its pointer must not
   * outlive it. A snapshot that another flush took is saved by this one as well: it may be answered first.
   */
  async #flushAndSave (file: ZoneStateFile): Promise<void> {
    if (this.#table.changes !== this.#snapshotChanges) {
      this.#snapshot = takeSnapshot(this.#table)
      this.#snapshotNumber += 1
      this.#snapshotChanges = this.#table.changes
    }
    const snapshot = this.#snapshot
    const number = this.#snapshotNumber
    if (this.#backend.hasVolatileCache) await this.#backend.flush()
    if (snapshot !== undefined) await file.save(snapshot, number)
  }

  #beginRandomWrite (sector: number, sectorCount: number): BlkStatus {
    const last = this.#lastZoneOf(sector, sectorCount)
    const first = Math.max(this.#zoneOf(sector), this.#conventionalCount)
    for (let zone = first; zone <= last; zone += 1) {
      if (!this.#table.canWrite(zone)) return BlkStatus.ZONE_INVALID_CMD
    }
    for (let zone = first; zone <= last; zone += 1) {
      this.#table.beginRandomWrite(zone, this.#endIn(zone, sector + sectorCount))
    }
    return BlkStatus.OK
  }

  /** Does it now, or when a reset or finish of the zone is over. */
  #whenFree (zone: number, work: () => BlkStatus): BlkStatus | Promise<BlkStatus> {
    return this.#table.isHeld(zone) ? this.#turns.take(work) : work()
  }

  async #finish (zone: number): Promise<BlkStatus> {
    await this.#turns.take(() =>
      this.#withoutWrites([zone], () => {
        this.#table.finish(zone)
      })
    )
    await this.flush()
    return BlkStatus.OK
  }

  /** Empties the zones from `first` to `end` that can be emptied. To erase is to empty even those that are empty. */
  async #reset (first: number, end: number, isErase: boolean): Promise<BlkStatus> {
    await this.#turns.take(async () => {
      const zones: number[] = []
      for (let zone = first; zone < end; zone += 1) {
        const isDue = isErase || this.#table.states[zone] !== ZoneState.EMPTY
        if (isDue && this.#table.canManage(zone)) zones.push(zone)
      }
      await this.#withoutWrites(zones, () => this.#empty(zones))
    })
    await this.flush()
    return BlkStatus.OK
  }

  async #withoutWrites (zones: readonly number[], work: () => void | Promise<void>): Promise<void> {
    for (const zone of zones) this.#table.hold(zone, true)
    try {
      while (zones.some(zone => this.#table.hasWrites(zone))) {
        await new Promise<void>(resolve => {
          this.#table.onQuiet = resolve
        })
      }
      await work()
    } finally {
      this.#table.onQuiet = undefined
      for (const zone of zones) this.#table.hold(zone, false)
    }
  }

  /** Gives back the storage of zones, neighbours in one request, and empties them. */
  async #empty (zones: readonly number[]): Promise<void> {
    let index = 0
    while (index < zones.length) {
      const first = zones[index]!
      let end = first
      while (zones[index] === end) {
        index += 1
        end += 1
      }
      await this.#zero(first * this.#zoneSectors, Math.min(end * this.#zoneSectors, this.capacitySectors))
      for (let zone = first; zone < end; zone += 1) this.#table.place(zone, ZoneState.EMPTY, 0)
    }
  }

  async #zero (start: number, end: number): Promise<void> {
    const sectorsPerBlock = this.#backend.blockSize / SECTOR_BYTES
    const lba = start / sectorsPerBlock
    const blockCount = (end - start) / sectorsPerBlock
    if (this.#backend.discard === undefined) await this.#backend.writeZeroes(lba, blockCount)
    else await this.#backend.discard(lba, blockCount)
  }

  // The difference cannot overflow where the sum could: a driver may ask for 2^64 - 1.
  #isInside (sector: number, sectorCount: number): boolean {
    return sector <= this.capacitySectors - sectorCount
  }

  #isZoneStart (sector: number): boolean {
    return sector < this.capacitySectors && sector % this.#zoneSectors === 0
  }

  #zoneOf (sector: number): number {
    return Math.floor(sector / this.#zoneSectors)
  }

  #lastZoneOf (sector: number, sectorCount: number): number {
    return Math.floor((sector + Math.max(sectorCount, 1) - 1) / this.#zoneSectors)
  }

  /** Where a range that goes into a zone ends in it, from the start of the zone on. */
  #endIn (zone: number, end: number): number {
    return Math.min(end - zone * this.#zoneSectors, this.#zoneSectors)
  }
}
