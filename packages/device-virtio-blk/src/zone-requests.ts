import { answer } from './answers.js'
import type { BlockRequest, Outcome } from './block-request.js'
import { settled } from './durability.js'
import { AppendSector, RequestHeader } from './layouts.js'
import { BlkFeature, BlkStatus, RequestType, SECTOR_BYTES } from './protocol.js'
import type { ReadWrite } from './read-write.js'
import type { Surroundings } from './surroundings.js'
import type { ZoneManagement, Zones } from './zones/zones.js'

/** The requests that only zoned devices know. [virtio] "Block Device", "Device Operation". */
export class ZoneRequests {
  readonly #surroundings: Surroundings
  readonly #readWrite: ReadWrite

  constructor (surroundings: Surroundings, readWrite: ReadWrite) {
    this.#surroundings = surroundings
    this.#readWrite = readWrite
  }

  /** Whatever is not a request of another kind comes here. */
  execute (request: BlockRequest): Outcome {
    const { zones, features } = this.#surroundings
    if (zones === undefined || !features.has(BlkFeature.ZONED)) return BlkStatus.UNSUPP
    switch (request.type) {
      case RequestType.ZONE_APPEND:
        return this.#append(request, zones)
      case RequestType.ZONE_REPORT:
        return this.#report(request, zones)
      case RequestType.ZONE_OPEN:
      case RequestType.ZONE_CLOSE:
      case RequestType.ZONE_FINISH:
      case RequestType.ZONE_RESET:
      case RequestType.ZONE_RESET_ALL:
        return this.#manage(request, request.type, zones)
      default:
        return BlkStatus.UNSUPP
    }
  }

  #append (request: BlockRequest, zones: Zones): Outcome {
    const { disk } = this.#surroundings
    request.dataBytes = request.chain.readable.byteLength - RequestHeader.byteLength
    const hasRoom = request.chain.writable.byteLength > AppendSector.byteLength
    if (disk.readOnly || !hasRoom || request.dataBytes % SECTOR_BYTES !== 0) return BlkStatus.IOERR
    const sectorCount = request.dataBytes / SECTOR_BYTES
    const refused = zones.beginAppend(request.sector, sectorCount)
    if (refused !== BlkStatus.OK) return refused
    request.sector = zones.appendSector
    request.lba = request.sector / disk.sectorsPerBlock
    request.blockCount = sectorCount / disk.sectorsPerBlock
    const stored = this.#readWrite.storeInZone(request, zones)
    if (stored === BlkStatus.OK) return this.#appended(request)
    if (typeof stored !== 'object') return stored
    return stored.then(status => status === BlkStatus.OK ? this.#appended(request) : status)
  }

  /** Tells the driver where its data went: right before the status. */
  #appended (request: BlockRequest): Outcome {
    const bytes = new DataView(new ArrayBuffer(AppendSector.byteLength))
    AppendSector.appendSector.set(bytes, 0, request.sector)
    const offset = request.chain.writable.byteLength - 1 - AppendSector.byteLength
    return answer(this.#surroundings, request, new Uint8Array(bytes.buffer), offset)
  }

  #report (request: BlockRequest, zones: Zones): Outcome {
    const report = zones.report(request.sector, request.chain.writable.byteLength - 1)
    return report === undefined ? BlkStatus.ZONE_INVALID_CMD : answer(this.#surroundings, request, report, 0)
  }

  #manage (request: BlockRequest, type: ZoneManagement, zones: Zones): Outcome {
    const { disk } = this.#surroundings
    if (disk.readOnly) return BlkStatus.IOERR
    const outcome = zones.manage(type, request.sector)
    if (outcome === BlkStatus.OK) return settled(this.#surroundings)
    if (typeof outcome === 'number') return outcome
    return outcome.then(status => status === BlkStatus.OK ? settled(this.#surroundings) : status)
  }
}

/** Carries out a write that zones were told of, and tells them how it ended. */
export function announced (
  zones: Zones,
  range: { readonly sector: number, readonly sectorCount: number },
  write: () => Outcome
): Outcome {
  const end = (succeeded: boolean): void => zones.endWrite(range.sector, range.sectorCount, succeeded)
  let outcome: Outcome
  try {
    outcome = write()
  } catch (error) {
    end(false)
    throw error
  }
  if (typeof outcome !== 'object') {
    end(outcome === BlkStatus.OK)
    return outcome
  }
  return outcome.then(
    status => {
      end(status === BlkStatus.OK)
      return status
    },
    (error: unknown) => {
      end(false)
      throw error
    }
  )
}
