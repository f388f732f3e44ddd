import { DmaFault } from '@pcikit/core'
import { eraseSectorsMax, RANGE_SECTORS_MAX, RANGE_SEGMENTS_MAX } from './block-config.js'
import type { BlockRequest, Outcome, SectorRange } from './block-request.js'
import { settled, succeeded } from './durability.js'
import { RangeFlags, RangeSegment, RequestHeader } from './layouts.js'
import { overwrite } from './overwrite.js'
import { BlkFeature, BlkStatus, RequestType } from './protocol.js'
import type { Surroundings } from './surroundings.js'
import { unreachable } from './unreachable.js'
import { announced } from './zone-requests.js'
import type { Zones } from './zones/zones.js'

/** Does something to one segment. */
type Change = (range: SectorRange) => Outcome

/**
 * Discard, write zeroes and secure erase: requests with a list of ranges. All are checked before the first is touched.
 * [virtio] "Block Device", "Device Operation".
 */
export class RangeRequests {
  readonly #surroundings: Surroundings

  constructor (surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  execute (request: BlockRequest): Outcome {
    const { features, disk } = this.#surroundings
    if (!features.has(featureOf(request.type))) return BlkStatus.UNSUPP
    if (request.ranges !== undefined) return this.#begin(request, request.ranges)
    const { readable } = request.chain
    const byteLength = readable.byteLength - RequestHeader.byteLength
    const isList = byteLength > 0 && byteLength % RangeSegment.byteLength === 0 &&
      byteLength <= RANGE_SEGMENTS_MAX * RangeSegment.byteLength
    if (disk.readOnly || !isList) return BlkStatus.IOERR
    request.dataBytes = byteLength
    const list = new DataView(new ArrayBuffer(byteLength))
    const fault = readable.read(RequestHeader.byteLength, new Uint8Array(list.buffer))
    return typeof fault === 'number' ?
      this.#listed(request, list, fault) :
      fault.then(late => this.#listed(request, list, late))
  }

  #listed (request: BlockRequest, list: DataView, fault: DmaFault): Outcome {
    if (fault !== DmaFault.NONE) return unreachable(this.#surroundings, request, fault)
    // The queue may have been reset while the list was on its way.
    if (!request.chain.isLive) return BlkStatus.IOERR
    const ranges: SectorRange[] = []
    // "The device MUST set the status byte to VIRTIO_BLK_S_UNSUPP for discard, secure erase and write zeroes commands
    // if any unknown flag is set", whatever else is wrong.
    const known = request.type === RequestType.WRITE_ZEROES ? RangeFlags.UNMAP.mask : 0
    for (let base = 0; base < list.byteLength; base += RangeSegment.byteLength) {
      if ((RangeSegment.flags.get(list, base) & ~known) !== 0) return BlkStatus.UNSUPP
    }
    for (let base = 0; base < list.byteLength; base += RangeSegment.byteLength) {
      const range = this.#rangeAt(request, list, base)
      if (range === undefined) return BlkStatus.IOERR
      ranges.push(range)
    }
    request.ranges = ranges
    return this.#begin(request, ranges)
  }

  #rangeAt (request: BlockRequest, list: DataView, base: number): SectorRange | undefined {
    const { disk, zones } = this.#surroundings
    const { sectorsPerBlock } = disk
    const sector = RangeSegment.sector.get(list, base)
    const sectorCount = RangeSegment.numSectors.get(list, base)
    const isErase = request.type === RequestType.SECURE_ERASE
    const sectorsMax = isErase ? eraseSectorsMax(zones?.characteristics) : RANGE_SECTORS_MAX
    if (sectorCount > sectorsMax || !disk.has(sector, sectorCount)) return undefined
    return {
      start: sector / sectorsPerBlock,
      count: sectorCount / sectorsPerBlock,
      sector,
      sectorCount,
      unmap: RangeFlags.UNMAP.isSet(RangeSegment.flags.get(list, base))
    }
  }

  #begin (request: BlockRequest, ranges: readonly SectorRange[]): Outcome {
    const { late } = this.#surroundings
    if (!late.isEmpty && late.hold(request, ranges)) return undefined
    const change = this.#changeOf(request.type)
    const outcome = this.#each(ranges.filter(({ count }) => count > 0), change)
    if (typeof outcome !== 'object') return outcome === BlkStatus.OK ? settled(this.#surroundings) : outcome
    request.isInBackEnd = true
    return outcome.then(status => {
      request.isInBackEnd = false
      return status === BlkStatus.OK ? settled(this.#surroundings) : status
    })
  }

  /** One range after the other, up to the first that fails: a zone takes writes in order only. */
  #each (ranges: readonly SectorRange[], change: Change): Outcome {
    for (const [index, range] of ranges.entries()) {
      const outcome = change(range)
      if (typeof outcome === 'object') {
        return outcome.then(status => status === BlkStatus.OK ? this.#each(ranges.slice(index + 1), change) : status)
      }
      if (outcome !== BlkStatus.OK) return outcome
    }
    return BlkStatus.OK
  }

  #changeOf (type: number): Change {
    const { disk: { backend }, zones } = this.#surroundings
    switch (type) {
      case RequestType.DISCARD:
        return range => succeeded(backend.discard?.(range.start, range.count))
      case RequestType.SECURE_ERASE:
        if (zones !== undefined) return range => zones.erase(range.sector, range.sectorCount)
        return range => succeeded(overwrite(backend, range))
      default: {
        const writeZeroes: Change = ({ start, count, unmap }) =>
          succeeded(
            unmap && backend.discard !== undefined ? backend.discard(start, count) : backend.writeZeroes(start, count)
          )
        return zones === undefined ? writeZeroes : range => zeroInZone(zones, range, writeZeroes)
      }
    }
  }
}

/** Zeroes are written to a zone as any data is. */
function zeroInZone (zones: Zones, range: SectorRange, writeZeroes: Change): Outcome {
  const { sector, sectorCount } = range
  const refused = zones.beginWrite(sector, sectorCount)
  return refused === BlkStatus.OK ? announced(zones, { sector, sectorCount }, () => writeZeroes(range)) : refused
}

function featureOf (type: number): BlkFeature {
  switch (type) {
    case RequestType.DISCARD:
      return BlkFeature.DISCARD
    case RequestType.SECURE_ERASE:
      return BlkFeature.SECURE_ERASE
    default:
      return BlkFeature.WRITE_ZEROES
  }
}
