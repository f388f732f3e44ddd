import type { LateRanges } from '@pcikit/block'
import { assert, AssertionError, DmaFault, isPcikitError } from '@pcikit/core'
import type { VirtqueueChain } from '@pcikit/virtio'
import { getId, getLifetime } from './answers.js'
import type { BlockRequest, Outcome } from './block-request.js'
import { flush } from './durability.js'
import { RequestHeader } from './layouts.js'
import { BlkStatus, RequestType } from './protocol.js'
import { RangeRequests } from './range-requests.js'
import { rangesOf, ReadWrite } from './read-write.js'
import { RequestTable } from './request-table.js'
import type { StatusBytes } from './status-bytes.js'
import type { Surroundings } from './surroundings.js'
import { unreachable } from './unreachable.js'
import { ZoneRequests } from './zone-requests.js'

const FAILURE_LOG_INTERVAL_MS = 1000

/** What the processor works with. */
export interface ProcessorParts extends Surroundings {
  readonly statusBytes: StatusBytes
  /** The device needs a reset. */
  fail(reason: string): void
}

/** Where a header is put while it is looked at. */
class HeaderBuffer {
  readonly bytes = new Uint8Array(RequestHeader.byteLength)
  readonly view = new DataView(this.bytes.buffer)
}

/**
 * Executes requests and gives each chain back exactly once.
 *
 * ```
 *   take ──► held ──► active ──► told to the driver, the record is free
 *                       │
 *                       └──► late: told to the driver (memory revoked) or to nobody (reset), without waiting for the
 *                              back end ──► the back end answers: the record is free
 * ```
 */
export class RequestProcessor {
  readonly #parts: ProcessorParts
  readonly #late: LateRanges<BlockRequest>
  readonly #requests: RequestTable
  readonly #readWrite: ReadWrite
  readonly #ranges: RangeRequests
  readonly #zoneRequests: ZoneRequests
  #header = new HeaderBuffer()
  #failures = 0
  #failureLoggedAtMs = -Infinity

  constructor (parts: ProcessorParts) {
    this.#parts = parts
    this.#late = parts.late
    this.#requests = new RequestTable(request => this.#revoked(request))
    this.#readWrite = new ReadWrite(parts)
    this.#ranges = new RangeRequests(parts)
    this.#zoneRequests = new ZoneRequests(parts, this.#readWrite)
  }

  /** Executes what the driver made available. Never throws. */
  take (chain: VirtqueueChain): void {
    const { readable, writable } = chain
    if (readable.byteLength < RequestHeader.byteLength || writable.byteLength < 1) {
      this.#parts.fail('A request has no room for its header or its status.')
      chain.complete(0)
      return
    }
    const request = this.#requests.claim(chain)
    const header = readable.locate(0, RequestHeader.byteLength)
    if (header === undefined) {
      this.#readHeader(request)
      return
    }
    request.identify(header.view, header.position)
    this.#begin(request)
  }

  #readHeader (request: BlockRequest): void {
    const header = this.#header
    const fault = request.chain.readable.read(0, header.bytes)
    if (typeof fault === 'number') this.#identified(request, header, fault)
    else {
      this.#header = new HeaderBuffer()
      void fault.then(late => this.#identified(request, header, late))
    }
  }

  /**
   * All queues were reset. What back ends are still at work on is late from now on, and what was held does not begin.
   * The reset of a single queue waits for its requests instead.
   */
  reset (): void {
    for (const request of this.#requests.active()) if (request.isInBackEnd) this.#addLate(request)
    for (const held of this.#late.drop(() => true)) this.#finish(held, BlkStatus.IOERR)
    this.#parts.statusBytes.reset()
  }

  #identified (request: BlockRequest, header: HeaderBuffer, fault: DmaFault): void {
    request.identify(header.view, 0)
    if (fault === DmaFault.NONE) this.#begin(request)
    else this.#finish(request, unreachable(this.#parts, request, fault))
  }

  #begin (request: BlockRequest): void {
    let outcome: Outcome
    try {
      outcome = request.chain.isLive ? this.#execute(request) : BlkStatus.IOERR
    } catch (error) {
      outcome = this.#statusOf(error, request)
    }
    if (typeof outcome === 'number') this.#finish(request, outcome)
    else if (outcome !== undefined) this.#finishLater(request, outcome)
  }

  #execute (request: BlockRequest): Outcome {
    switch (request.type) {
      case RequestType.IN:
        return this.#readWrite.read(request)
      case RequestType.OUT:
        return this.#readWrite.write(request)
      case RequestType.FLUSH:
        return flush(this.#parts)
      case RequestType.DISCARD:
      case RequestType.WRITE_ZEROES:
      case RequestType.SECURE_ERASE:
        return this.#ranges.execute(request)
      case RequestType.GET_ID:
        return getId(this.#parts, request)
      case RequestType.GET_LIFETIME:
        return getLifetime(this.#parts, request)
      default:
        return this.#zoneRequests.execute(request)
    }
  }

  #finishLater (request: BlockRequest, outcome: Promise<BlkStatus | undefined>): void {
    void outcome.catch((error: unknown) => this.#statusOf(error, request)).then(status => {
      if (status === undefined) return
      try {
        this.#finish(request, status)
      } catch (error) {
        this.#statusOf(error, request)
      }
    })
  }

  /** The back end is done with a request, or never saw it. */
  #finish (request: BlockRequest, status: BlkStatus): void {
    assert(request.isActive, 'a request ends once')
    const { chain, lease, isTold, isLate, writtenBytes } = request
    request.isInBackEnd = false
    this.#requests.release(request)
    // Memory that is not missing is not kept while the status byte waits for its own.
    if (lease?.isOpen === true && (isTold || lease.fault === DmaFault.NONE)) lease.close()
    if (!isTold) this.#parts.statusBytes.tell(chain, status, status === BlkStatus.OK ? writtenBytes : 0)
    if (isLate) this.#endLate(request)
  }

  #endLate (request: BlockRequest): void {
    for (const held of this.#late.end(request)) this.#begin(held)
  }

  /**
   * The memory of a request was taken away. Where only its back end is waited for the driver is told now; the back end
   * keeps the record and the lease.
   */
  #revoked (request: BlockRequest): void {
    const { chain, lease } = request
    if (!request.isActive || !request.isInBackEnd || request.isTold || lease === undefined) return
    this.#addLate(request)
    request.isTold = true
    request.lease = (request.type === RequestType.IN ? chain.writable : chain.readable).detach()
    this.#parts.statusBytes.tell(chain, unreachable(this.#parts, request, DmaFault.REVOKED), 0)
  }

  #addLate (request: BlockRequest): void {
    if (request.isLate || !isChange(request)) return
    request.isLate = true
    this.#late.add(request, rangesOf(request))
  }

  /** A refused or failed request of a back end becomes a status here, and nowhere else. */
  #statusOf (error: unknown, request: BlockRequest): BlkStatus {
    request.isInBackEnd = false
    if (error instanceof AssertionError) {
      this.#parts.logger.error({ err: error }, 'an assertion failed')
      this.#parts.fail('The state of the device cannot be trusted.')
    } else if (request.lease?.isOpen === true && request.lease.fault !== DmaFault.NONE) {
      // It fails in whatever way the back end notices, which says nothing about the storage.
      if (!request.isTold) return unreachable(this.#parts, request, request.lease.fault)
    } else if (!isPcikitError(error, 'PCIKIT_BLOCK_OUT_OF_RANGE') && !isPcikitError(error, 'PCIKIT_BLOCK_READ_ONLY')) {
      this.#logFailure(error)
    }
    return BlkStatus.IOERR
  }

  /** A disk that is full fails every write: one line a second says so. */
  #logFailure (error: unknown): void {
    const nowMs = performance.now()
    this.#failures++
    if (nowMs - this.#failureLoggedAtMs < FAILURE_LOG_INTERVAL_MS) return
    this.#failureLoggedAtMs = nowMs
    this.#parts.logger.error({ err: error, failures: this.#failures }, 'a request failed in its back end')
  }
}

function isChange ({ type }: BlockRequest): boolean {
  switch (type) {
    case RequestType.OUT:
    case RequestType.ZONE_APPEND:
    case RequestType.DISCARD:
    case RequestType.WRITE_ZEROES:
    case RequestType.SECURE_ERASE:
      return true
    default:
      return false
  }
}
