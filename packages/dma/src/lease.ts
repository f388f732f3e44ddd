import { assert, DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease } from '@pcikit/core'
import { BOUNCE_BYTES_MAX } from './bounce-pool.js'
import type { MessageDirection, MessagePiece } from './client-messages.js'
import type { GuestMemory } from './guest-memory.js'
import { InFlight } from './in-flight.js'
import type { InUse } from './in-flight.js'
import type { Chunk, MappedPages } from './mapped-pages.js'
import type { Region } from './region.js'

const NO_BYTES = new Uint8Array(0)

/**
 * Guest memory for one command. Its pieces are in parallel arrays that are kept from command to command. A piece lies
 * in mapped pages, which it pins, or in a buffer that stands in for memory which the client does not share.
 */
export class MappedLease implements DmaLease, InUse {
  access: DmaAccess = DmaAccess.READ
  isOpen = false
  fault: DmaFault = DmaFault.NONE
  faultIova = 0
  onRevoke: (() => void) | undefined = undefined
  byteLength = 0
  segmentCount = 0
  /** One while the lease is open. */
  readonly inFlight = new InFlight()
  /** Where OpenLeases keeps it. */
  slot = -1
  readonly #memory: GuestMemory
  readonly #bytes: Uint8Array[] = []
  readonly #offsets: number[] = []
  readonly #lengths: number[] = []
  readonly #iovas: number[] = []
  /** Undefined for a piece that goes by message … */
  readonly #pages: (MappedPages | undefined)[] = []
  /** … which has its region here instead. */
  readonly #regions: (Region | undefined)[] = []
  #bounced = 0
  #messaging = 0
  #openings = 0
  /** The opening that `onRevoke` was called for last. */
  #toldOpening = 0

  constructor (memory: GuestMemory) {
    this.#memory = memory
  }

  bytesAt (index: number): Uint8Array {
    assert(index >= 0 && index < this.segmentCount, 'A lease has no such piece')
    const bytes = this.#bytes[index]!
    // The memory was taken away, so the array is empty. What the device is about to do does not happen.
    if (bytes.length === 0) this.#lose(DmaFault.REVOKED, index)
    return bytes
  }

  offsetAt (index: number): number {
    assert(index >= 0 && index < this.segmentCount, 'A lease has no such piece')
    return this.#offsets[index]!
  }

  lengthAt (index: number): number {
    assert(index >= 0 && index < this.segmentCount, 'A lease has no such piece')
    return this.#lengths[index]!
  }

  open (access: DmaAccess): void {
    assert(!this.isOpen, 'A lease was opened that is open already')
    this.isOpen = true
    this.access = access
    this.fault = DmaFault.NONE
    this.#openings += 1
    this.inFlight.enter()
    this.#memory.leases.add(this)
  }

  append (iova: number, byteLength: number): DmaFault {
    // Short enough to become a part of every caller: see `GuestMemory.place`.
    this.#memory.place = iova
    return this.appendPlace(byteLength)
  }

  /** Adds a range that begins at the `place` of guest memory. */
  appendPlace (byteLength: number): DmaFault {
    assert(this.isOpen, 'A range was appended to a lease that is not open')
    const memory = this.#memory
    if (!memory.locate(byteLength, this.access)) return this.#search(memory.place, byteLength)
    // Both are at most a chunk. As integers they keep the arrays small, and the call leaves no number behind.
    this.#appendMapped(memory.recent.chunk!, memory.offset, byteLength | 0)
    this.byteLength += byteLength
    return DmaFault.NONE
  }

  fetch (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'A lease was fetched that is not open')
    for (let index = 0; index < this.segmentCount; index += 1) {
      if (this.#bytes[index]!.length === 0) this.#lose(DmaFault.REVOKED, index)
    }
    return (this.access & DmaAccess.READ) === 0 ? this.fault : this.#exchange('read')
  }

  commit (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'A lease was committed that is not open')
    if (this.#memory.mayHaveLost) this.#memory.inspectFiles()
    return (this.access & DmaAccess.WRITE) === 0 ? this.fault : this.#exchange('write')
  }

  close (): void {
    assert(this.isOpen, 'A lease was closed that is not open')
    this.#truncate(0)
    this.byteLength = 0
    this.isOpen = false
    this.#memory.leases.remove(this)
    this.inFlight.leave()
  }

  /** Past a deadline: takes the memory from under the lease. Whoever else uses the same memory maps it anew. */
  cutOff (): void {
    for (let index = 0; index < this.segmentCount; index += 1) {
      const pages = this.#pages[index]
      if (pages === undefined) continue
      if (pages.isLive) this.#memory.cache.retire(pages)
      pages.cutOff()
    }
    if (this.fault === DmaFault.NONE) this.#fail(DmaFault.REVOKED, this.#iovas[0] ?? 0, this.byteLength)
  }

  /** Looks whether a piece lost its memory for good. */
  noticeLoss (): void {
    for (let index = 0; index < this.segmentCount && this.fault === DmaFault.NONE; index += 1) {
      const pages = this.#pages[index]
      if (pages === undefined) {
        // What came by message is here. What has to go by message has nowhere to go.
        const isLost = (this.access & DmaAccess.WRITE) !== 0 && !this.#regions[index]!.isPresent
        if (isLost) this.#lose(DmaFault.REVOKED, index)
        continue
      }
      const end = this.#iovas[index]! + this.#lengths[index]!
      if (pages.isRevoked) this.#lose(DmaFault.REVOKED, index)
      else if (end > pages.region.reachableEnd || pages.isFaulted) this.#lose(DmaFault.PAST_END_OF_FILE, index)
    }
  }

  /** Whether the device has to be told that the lease was revoked. Messages that are under way end by themselves. */
  get awaitsNotice (): boolean {
    if (!this.isOpen || this.#toldOpening === this.#openings || this.#messaging > 0) return false
    return this.fault === DmaFault.REVOKED || this.#pages.some(pages => pages?.isRevoked)
  }

  /** After a loss: what can still be reached through the pieces. */
  get remaining (): readonly MappedPages[] {
    return this.#pages.filter(pages => pages !== undefined && !pages.isRevoked) as MappedPages[]
  }

  /** After a loss, when nothing remains: tells the device. */
  tell (): void {
    this.#toldOpening = this.#openings
    this.onRevoke?.()
  }

  /** Adds a range wherever it may be, or nothing of it. */
  #search (iova: number, byteLength: number): DmaFault {
    const refusal = this.#memory.refusal(iova, byteLength)
    if (refusal !== DmaFault.NONE) return this.#fail(refusal, iova, byteLength)
    const count = this.segmentCount
    const lastLength = count > 0 ? this.#lengths[count - 1]! : 0
    const end = iova + byteLength
    for (let at = iova; at < end;) {
      const next = this.#appendPiece(at, end)
      if (next === at) {
        this.#truncate(count)
        if (count > 0) this.#lengths[count - 1] = lastLength
        return this.#fail(this.#memory.fault, at, end - at)
      }
      at = next
    }
    this.byteLength += byteLength
    return DmaFault.NONE
  }

  /** Adds what can be had in one piece from `iova` on. Returns where it ends: at `iova` if nothing can be had. */
  #appendPiece (iova: number, end: number): number {
    const region = this.#memory.reach(iova, this.access)
    if (region === undefined) return iova
    const reachable = Math.min(end, region.reachableEnd)
    if (region.file === undefined) return this.#appendBounced(region, iova, reachable)
    const chunk = this.#memory.chunkAt(region, iova)
    if (chunk === undefined) return iova
    const pieceEnd = Math.min(reachable, chunk.end)
    this.#appendMapped(chunk, (iova - chunk.iova) | 0, (pieceEnd - iova) | 0)
    return pieceEnd
  }

  /** Adds `length` bytes at `offset` of a chunk. */
  #appendMapped (chunk: Chunk, offset: number, length: number): void {
    if (length === 0) return
    const last = this.segmentCount - 1
    if (last >= 0 && this.#bytes[last] === chunk.bytes && this.#offsets[last]! + this.#lengths[last]! === offset) {
      this.#lengths[last]! += length
      return
    }
    chunk.pages.inFlight.enter()
    this.#iovas[this.segmentCount] = chunk.iova + offset
    this.#push(chunk.pages, chunk.bytes, offset, length)
  }

  #appendBounced (region: Region, iova: number, end: number): number {
    const length = Math.min(end - iova, BOUNCE_BYTES_MAX)
    const buffer = this.#memory.bounce.take(length)
    if (buffer === undefined) {
      this.#memory.fault = DmaFault.PEER_FAILED
      return iova
    }
    this.#bounced += 1
    this.#regions[this.segmentCount] = region
    this.#iovas[this.segmentCount] = iova
    this.#push(undefined, buffer, 0, length)
    return iova + length
  }

  /** Adds a piece, whose address is in its place already: an argument of that size would be an object. */
  #push (pages: MappedPages | undefined, bytes: Uint8Array, offset: number, length: number): void {
    const index = this.segmentCount
    this.#pages[index] = pages
    this.#bytes[index] = bytes
    this.#offsets[index] = offset
    this.#lengths[index] = length
    this.segmentCount = index + 1
  }

  /** Lets go of all pieces from `count` on. */
  #truncate (count: number): void {
    for (let index = count; index < this.segmentCount; index += 1) {
      const pages = this.#pages[index]
      if (pages !== undefined) {
        pages.inFlight.leave()
      } else {
        this.#bounced -= 1
        this.#memory.bounce.giveBack(this.#bytes[index]!, this.#messaging === 0)
        this.#regions[index] = undefined
      }
      this.#pages[index] = undefined
      this.#bytes[index] = NO_BYTES
    }
    this.segmentCount = count
  }

  #exchange (direction: MessageDirection): DmaFault | Promise<DmaFault> {
    return this.#bounced === 0 || this.fault !== DmaFault.NONE ? this.fault : this.#message(direction)
  }

  async #message (direction: MessageDirection): Promise<DmaFault> {
    const pieces: MessagePiece[] = []
    for (let index = 0; index < this.segmentCount; index += 1) {
      if (this.#pages[index] !== undefined) continue
      const bytes = this.#bytes[index]!.subarray(0, this.#lengths[index])
      pieces.push({ region: this.#regions[index]!, iova: this.#iovas[index]!, bytes })
    }
    const opening = this.#openings
    const isWanted = (): boolean => this.isOpen && this.#openings === opening && this.fault === DmaFault.NONE
    this.#messaging += 1
    const { fault, iova } = await this.#memory.messages.transfer(direction, pieces, isWanted)
    this.#messaging -= 1
    if (!this.isOpen || this.#openings !== opening) return DmaFault.REVOKED
    if (fault !== DmaFault.NONE) this.#fail(fault, iova, this.byteLength)
    return this.fault
  }

  #lose (fault: DmaFault, index: number): void {
    if (this.fault === DmaFault.NONE) this.#fail(fault, this.#iovas[index]!, this.#lengths[index]!)
  }

  #fail (fault: DmaFault, iova: number, byteLength: number): DmaFault {
    this.#memory.faults.note(fault, iova, byteLength, this.access)
    if (this.fault === DmaFault.NONE) {
      this.fault = fault
      this.faultIova = iova
    }
    return fault
  }
}
