import type { BlockRange } from '@pcikit/block'
import { DmaFault } from '@pcikit/core'
import type { DmaLease } from '@pcikit/core'
import type { ChainPart } from '@pcikit/virtio'
import type { BlockRequest, Outcome } from './block-request.js'
import { settled } from './durability.js'
import { RequestHeader } from './layouts.js'
import { BlkStatus, SECTOR_BYTES } from './protocol.js'
import type { Surroundings } from './surroundings.js'
import { unreachable } from './unreachable.js'
import { announced } from './zone-requests.js'
import type { Zones } from './zones/zones.js'

/**
 * Reads and writes, the requests that have to be quick. Each step goes on at once where the one before it answered at
 * once, and in a continuation where it did not: then, and only then, there are promises.
 *
 * ```
 *   read:   lease ─► back end fills guest memory ─► commit
 *   write:  lease ─► fetch ─► back end takes guest memory ─► commit ─► flush, if it has to be durable
 * ```
 *
 * Where the data is in one piece of mapped memory and the back end answers at once, nothing can take memory away until
 * the request is over, and there is no lease.
 *
 * A request whose back end answers later is marked: if its memory is taken away then, it ends at once.
 */
export class ReadWrite {
  readonly #surroundings: Surroundings

  constructor (surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** VIRTIO_BLK_T_IN. [virtio] "Block Device", "Device Operation". */
  read (request: BlockRequest): Outcome {
    const { disk, zones, late } = this.#surroundings
    const { writable } = request.chain
    request.dataBytes = writable.byteLength - 1
    const sectors = request.dataBytes / SECTOR_BYTES
    if (!this.#locate(request, sectors)) return BlkStatus.IOERR
    const refused = zones === undefined ? BlkStatus.OK : zones.checkRead(request.sector, sectors)
    if (refused !== BlkStatus.OK) return refused
    if (!late.isEmpty && late.hold(request, rangesOf(request))) return undefined
    if (request.dataBytes === 0) return BlkStatus.OK
    if (zones === undefined && this.#fillDirectly(request)) {
      request.writtenBytes = request.dataBytes
      return BlkStatus.OK
    }
    const fault = this.#open(request, writable, 0)
    if (fault !== DmaFault.NONE) return unreachable(this.#surroundings, request, fault)
    const { lease } = writable
    const pending = disk.backend.read(request.lba, lease)
    if (pending === undefined) return this.#filled(request, lease)
    request.isInBackEnd = true
    return pending.then(() => this.#filled(request, lease))
  }

  /** VIRTIO_BLK_T_OUT. [virtio] "Block Device", "Device Operation". */
  write (request: BlockRequest): Outcome {
    const { disk, zones, late } = this.#surroundings
    request.dataBytes = request.chain.readable.byteLength - RequestHeader.byteLength
    const sectors = request.dataBytes / SECTOR_BYTES
    if (disk.readOnly || !this.#locate(request, sectors)) return BlkStatus.IOERR
    if (!late.isEmpty && late.hold(request, rangesOf(request))) return undefined
    if (zones === undefined) return this.#settled(this.#store(request))
    const refused = zones.beginWrite(request.sector, sectors)
    return refused === BlkStatus.OK ? this.storeInZone(request, zones) : refused
  }

  /** Writes the data of a request that its zones allowed. */
  storeInZone (request: BlockRequest, zones: Zones): Outcome {
    const range = { sector: request.sector, sectorCount: request.dataBytes / SECTOR_BYTES }
    return this.#settled(announced(zones, range, () => this.#store(request)))
  }

  /** Finds the blocks of a request. False: it asks for what there is not, or for parts of blocks. */
  #locate (request: BlockRequest, sectors: number): boolean {
    const { disk } = this.#surroundings
    if (request.dataBytes % SECTOR_BYTES !== 0 || !disk.has(request.sector, sectors)) return false
    request.lba = request.sector / disk.sectorsPerBlock
    request.blockCount = sectors / disk.sectorsPerBlock
    return true
  }

  #open (request: BlockRequest, part: ChainPart, offset: number): DmaFault {
    request.lease = part.lease
    return part.open(offset, request.dataBytes)
  }

  /** False says nothing: with a lease it is done again, and known what is wrong. */
  #fillDirectly ({ chain, lba, dataBytes }: BlockRequest): boolean {
    const { backend } = this.#surroundings.disk
    if (backend.tryRead === undefined) return false
    const place = chain.writable.locate(0, dataBytes)
    return place !== undefined && backend.tryRead(lba, place.bytes, place.position, dataBytes) &&
      place.commit() === DmaFault.NONE
  }

  /** The same for a write. */
  #storeDirectly ({ chain, lba, dataBytes }: BlockRequest): boolean {
    const { backend } = this.#surroundings.disk
    if (backend.tryWrite === undefined) return false
    const place = chain.readable.locate(RequestHeader.byteLength, dataBytes)
    return place !== undefined && backend.tryWrite(lba, place.bytes, place.position, dataBytes) &&
      place.commit() === DmaFault.NONE
  }

  /** The back end filled guest memory. */
  #filled (request: BlockRequest, lease: DmaLease): Outcome {
    request.isInBackEnd = false
    if (request.isTold) return BlkStatus.IOERR
    this.#surroundings.zones?.hideUnwritten(request.sector, lease)
    return this.#ended(request, lease, lease.commit(), request.dataBytes)
  }

  #store (request: BlockRequest): Outcome {
    if (request.dataBytes === 0) return BlkStatus.OK
    if (this.#storeDirectly(request)) return BlkStatus.OK
    const { readable } = request.chain
    const fault = this.#open(request, readable, RequestHeader.byteLength)
    if (fault !== DmaFault.NONE) return unreachable(this.#surroundings, request, fault)
    const fetched = readable.lease.fetch()
    if (fetched === DmaFault.NONE) return this.#storeFetched(request)
    if (typeof fetched === 'number') return unreachable(this.#surroundings, request, fetched)
    return fetched.then(late => {
      // The queue may have been reset while the data was on its way.
      if (late !== DmaFault.NONE) return unreachable(this.#surroundings, request, late)
      return request.chain.isLive ? this.#storeFetched(request) : BlkStatus.IOERR
    })
  }

  #storeFetched (request: BlockRequest): Outcome {
    const { lease } = request.chain.readable
    const pending = this.#surroundings.disk.backend.write(request.lba, lease)
    if (pending === undefined) return this.#stored(request, lease)
    request.isInBackEnd = true
    return pending.then(() => this.#stored(request, lease))
  }

  /** The back end took what is in guest memory. */
  #stored (request: BlockRequest, lease: DmaLease): Outcome {
    request.isInBackEnd = false
    if (request.isTold) return BlkStatus.IOERR
    return this.#ended(request, lease, lease.commit(), 0)
  }

  /** The transfer is over. What is left to do needs no guest memory, so an unmap need not wait for it. */
  #ended (
    request: BlockRequest,
    lease: DmaLease,
    committed: DmaFault | Promise<DmaFault>,
    writtenBytes: number
  ): Outcome {
    if (committed === DmaFault.NONE) {
      lease.close()
      request.writtenBytes = writtenBytes
      return BlkStatus.OK
    }
    if (typeof committed === 'number') return unreachable(this.#surroundings, request, committed)
    return committed.then(fault => this.#ended(request, lease, fault, writtenBytes))
  }

  #settled (stored: Outcome): Outcome {
    if (stored === BlkStatus.OK) return settled(this.#surroundings)
    if (typeof stored !== 'object') return stored
    return stored.then(status => status === BlkStatus.OK ? settled(this.#surroundings) : status)
  }
}

/** The blocks that a read or a write is about. */
export function rangesOf (request: BlockRequest): readonly BlockRange[] {
  return request.ranges ?? [{ start: request.lba, count: request.blockCount }]
}
