import type { BlockRange } from '@pcikit/block'
import type { DmaLease } from '@pcikit/core'
import type { VirtqueueChain } from '@pcikit/virtio'
import { RequestHeader } from './layouts.js'
import type { BlkStatus } from './protocol.js'

/** What a request came to. Undefined: it is held, and begins again later. */
export type Settled = BlkStatus | undefined
/** The same, at once or later. */
export type Outcome = Settled | Promise<Settled>

/** Blocks that a request names in a list. */
export interface SectorRange extends BlockRange {
  readonly sector: number
  readonly sectorCount: number
  /** Whether their storage may be given back. */
  readonly unmap: boolean
}

/** A request from being taken until its back end is done with it. Recycled. */
export class BlockRequest {
  chain: VirtqueueChain
  /** RequestType, or whatever else the driver wrote. */
  type = 0
  sector = 0
  /** Bytes of data, without header and status. */
  dataBytes = 0
  /** The first block that it reads or changes. */
  lba = 0
  blockCount = 0
  /** The blocks of a request that has a list of them, once it is read and checked. */
  ranges: readonly SectorRange[] | undefined = undefined
  /** Bytes written for the driver, without the status. */
  writtenBytes = 0
  /** What was opened for its data. */
  lease: DmaLease | undefined = undefined
  /** From being taken until the back end is done, and the driver told. */
  isActive = false
  /** Its back end works on it, and nothing else is waited for. */
  isInBackEnd = false
  /** The chain was given back before the back end was done, and is another request's. */
  isTold = false
  /** Ended for the driver, or reset, and not yet done by the back end. */
  isLate = false
  /** For the chain: tells that its memory was taken away. */
  readonly onRevoke: () => void

  constructor (chain: VirtqueueChain, onRevoke: (request: BlockRequest) => void) {
    this.chain = chain
    this.onRevoke = () => onRevoke(this)
  }

  /** Takes over what the header says. */
  identify (view: DataView, base: number): void {
    this.type = RequestHeader.type.get(view, base)
    this.sector = RequestHeader.sector.get(view, base)
  }

  /** Begins a life. */
  claim (chain: VirtqueueChain): void {
    this.chain = chain
    if (chain.onRevoke !== this.onRevoke) chain.onRevoke = this.onRevoke
    this.ranges = undefined
    this.writtenBytes = 0
    this.lease = undefined
    this.isActive = true
    this.isInBackEnd = false
    this.isTold = false
    this.isLate = false
  }
}
