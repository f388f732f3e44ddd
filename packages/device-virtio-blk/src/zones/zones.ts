import type { BlockBuffers } from '@pcikit/block'
import type { BlkStatus, RequestType } from '../protocol.js'
import type { ZonedModel } from './zone-constants.js'

/** The requests that change states of zones and carry no data. */
export type ZoneManagement = (typeof RequestType)[
  'ZONE_OPEN' | 'ZONE_CLOSE' | 'ZONE_FINISH' | 'ZONE_RESET' | 'ZONE_RESET_ALL'
]

/** What the driver reads about the zones. [virtio] "Block Device", "Device configuration layout", field zoned. */
export interface ZonedCharacteristics {
  /** Size of a zone, in sectors. The last one may be smaller. */
  readonly zoneSectors: number
  /** Zones open at once, at most; 0 for no limit. */
  readonly maxOpenZones: number
  /** Zones open or closed at once, at most; 0 for no limit. */
  readonly maxActiveZones: number
  /** Sectors of one append at most; 0: appends are refused. */
  readonly maxAppendSectors: number
  /** What writes to sequential zones are multiples of, in bytes. */
  readonly writeGranularity: number
  readonly model: ZonedModel
}

/**
 * The zones of one device: which of its sectors may be read and written, and what the driver did with them so far. It
 * decides, and keeps write pointers; the data goes between the driver and the back end as without zones. Sectors have
 * 512 bytes. A range that is not inside the device is refused with ZONE_INVALID_CMD.
 *
 * A write is announced before its data moves and reported when it is done: the write pointer moves at the announcement,
 * so that a driver can have several writes in flight one behind the other. Where writes fail, the pointer goes back to
 * the end of the last one that succeeded, once none is in flight.
 *
 * [virtio] "Block Device", "Device Operation".
 */
export interface Zones extends AsyncDisposable {
  readonly characteristics: ZonedCharacteristics
  /** Sectors of the device. They do not change: a back end that grows does not add zones. */
  readonly capacitySectors: number
  readonly zoneCount: number
  /** Where the data of the last append that `beginAppend` allowed goes. */
  readonly appendSector: number

  /** Whether sectors may be read. Sectors that were not written may be. */
  checkRead(sector: number, sectorCount: number): BlkStatus
  /**
   * Zeroes what the read of `target`, from `sector` on, found behind write pointers: there the back end may hold
   * anything. To be called once the back end has filled `target`, before the driver sees it.
   */
  hideUnwritten(sector: number, target: BlockBuffers): void

  /**
   * Announces a write, of data or of zeroes. With OK its data must be written, and then `endWrite` be called exactly
   * once with the same range. With anything else nothing happened.
   */
  beginWrite(sector: number, sectorCount: number): BlkStatus
  /** The same for an append to the zone that starts at `sector`: read `appendSector` right after an OK. */
  beginAppend(sector: number, sectorCount: number): BlkStatus
  /** The write of a range, or the append to it, is over. */
  endWrite(sector: number, sectorCount: number, succeeded: boolean): void

  /**
   * Opens, closes, finishes or resets the zone that starts at `sector`, or resets them all. A reset waits for writes
   * in flight to its zones, which take no new ones meanwhile. A promise that rejects is a failure of the back end or of
   * the state file: IOERR for the driver.
   */
  manage(request: ZoneManagement, sector: number): BlkStatus | Promise<BlkStatus>
  /** Secure erase: resets the zones of a range, which must be whole zones that could each be reset. */
  erase(sector: number, sectorCount: number): BlkStatus | Promise<BlkStatus>
  /**
   * The answer to a zone report: a header and as many descriptors from the zone of `sector` on as fit in `byteLength`,
   * or fewer. Undefined where the header does not fit or there is no such sector: ZONE_INVALID_CMD.
   */
  report(sector: number, byteLength: number): Uint8Array | undefined

  /**
   * Flushes the back end, and makes the write pointers of what it flushed durable where a state file keeps them. To be
   * called in place of the back end's own flush; after every write where the driver uses no write cache.
   */
  flush(): void | Promise<void>
  /** The device was reset: open zones are closed. */
  deviceReset(): void
  /** Flushes once more. To be called when no request is in flight any more, before the back end is closed. */
  [Symbol.asyncDispose](): Promise<void>
}
