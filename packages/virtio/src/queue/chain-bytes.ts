import { assert, DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease, DmaPeek, DmaSpace } from '@pcikit/core'
import type { ChainPart } from '../chain.js'
import { DescribedBuffer } from './descriptor.js'

const CAPACITY_MIN = 8

/** Whom a part belongs to. */
export interface ChainOwner {
  /** Whether its memory may be used. */
  readonly isLive: boolean
  /** Something of it could not be reached. */
  faulted(): void
}

/** The readable or the writable bytes of a chain, in arrays that are kept from chain to chain. */
export class ChainBytes implements ChainPart {
  lease: DmaLease
  byteLength = 0
  readonly #dma: DmaSpace
  readonly #peek: DmaPeek | undefined
  readonly #access: DmaAccess
  readonly #owner: ChainOwner
  #count = 0
  /** For each descriptor its address, less its place in the run: what a place in the run is added to. */
  #bases = new Float64Array(CAPACITY_MIN)
  /** Where each descriptor ends in the run of bytes. */
  #ends = new Float64Array(CAPACITY_MIN)

  constructor (dma: DmaSpace, peek: DmaPeek | undefined, access: DmaAccess, owner: ChainOwner) {
    this.lease = dma.createLease()
    this.#peek = peek
    this.#dma = dma
    this.#access = access
    this.#owner = owner
  }

  /** Starts anew. */
  clear (): void {
    this.#count = 0
    this.byteLength = 0
  }

  /**
   * Adds the buffer that a descriptor at `base` describes. Nothing of it is checked here: whoever opens it learns. An
   * address goes straight to its place, because as an argument it would be an object.
   */
  add (view: DataView, base: number): void {
    const byteLength = DescribedBuffer.len.get(view, base)
    if (byteLength === 0) return
    const index = this.#count++
    if (index === this.#bases.length) this.#grow()
    this.#bases[index] = DescribedBuffer.addr.get(view, base) - this.byteLength
    this.byteLength += byteLength
    this.#ends[index] = this.byteLength
  }

  open (offset: number, byteLength: number): DmaFault {
    this.#check(offset, byteLength)
    const { lease } = this
    lease.open(this.#access)
    if (!this.#owner.isLive) return DmaFault.REVOKED
    const end = offset + byteLength
    let index = this.#indexOf(offset)
    for (let at = offset; at < end; index++) {
      const stop = Math.min(end, this.#ends[index]!)
      const fault = lease.append(this.#bases[index]! + at, stop - at)
      if (fault !== DmaFault.NONE) return this.#note(fault)
      at = stop
    }
    return DmaFault.NONE
  }

  detach (): DmaLease {
    const { lease } = this
    assert(lease.isOpen, 'a device detaches what is open')
    if (lease.fault !== DmaFault.NONE) this.#owner.faulted()
    this.lease = this.#dma.createLease()
    this.lease.onRevoke = lease.onRevoke
    return lease
  }

  locate (offset: number, byteLength: number): DmaPeek | undefined {
    const peek = this.#peek
    const index = this.#indexWithin(offset, byteLength)
    if (peek === undefined || index < 0) return undefined
    return peek.locate(this.#bases[index]! + offset, byteLength, this.#access) ? peek : undefined
  }

  read (offset: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    assert(this.#access === DmaAccess.READ, 'a device reads what is readable')
    const index = this.#indexWithin(offset, target.length)
    if (index < 0) return this.#copyApart(offset, target)
    const fault = this.#dma.read(this.#bases[index]! + offset, target)
    return fault === DmaFault.NONE ? fault : this.#ended(fault)
  }

  write (offset: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    assert(this.#access === DmaAccess.WRITE, 'a device writes what is writable')
    const index = this.#indexWithin(offset, source.length)
    if (index < 0) return this.#copyApart(offset, source)
    const fault = this.#dma.write(this.#bases[index]! + offset, source)
    return fault === DmaFault.NONE ? fault : this.#ended(fault)
  }

  /** The chain ends. */
  close (): void {
    const { lease } = this
    if (!lease.isOpen) return
    if (lease.fault !== DmaFault.NONE) this.#owner.faulted()
    lease.close()
  }

  /** The descriptor that has all of these bytes. -1: none has, or they cannot be reached. */
  #indexWithin (offset: number, byteLength: number): number {
    this.#check(offset, byteLength)
    if (!this.#owner.isLive || byteLength === 0) return -1
    const index = this.#indexOf(offset)
    return offset + byteLength <= this.#ends[index]! ? index : -1
  }

  #copyApart (offset: number, local: Uint8Array): DmaFault | Promise<DmaFault> {
    if (!this.#owner.isLive) return DmaFault.REVOKED
    return local.length === 0 ? DmaFault.NONE : this.#copySlices(this.#indexOf(offset), offset, local, 0)
  }

  /** Copies `local` from its byte `done` on, which is byte `offset` of the part, in descriptor `first`. */
  #copySlices (first: number, offset: number, local: Uint8Array, done: number): DmaFault | Promise<DmaFault> {
    let at = offset
    let from = done
    for (let index = first; from < local.length; index++) {
      const slice = local.subarray(from, from + this.#ends[index]! - at)
      const fault = this.#transfer(this.#bases[index]! + at, slice)
      at += slice.length
      from += slice.length
      if (typeof fault !== 'number') return this.#copyRest(fault, index + 1, at, local, from)
      if (fault !== DmaFault.NONE) return this.#note(fault)
    }
    return DmaFault.NONE
  }

  async #copyRest (
    pending: Promise<DmaFault>,
    next: number,
    offset: number,
    local: Uint8Array,
    done: number
  ): Promise<DmaFault> {
    const fault = await pending
    if (fault !== DmaFault.NONE) return this.#note(fault)
    return this.#owner.isLive ? this.#copySlices(next, offset, local, done) : DmaFault.REVOKED
  }

  #transfer (iova: number, local: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#access === DmaAccess.READ ? this.#dma.read(iova, local) : this.#dma.write(iova, local)
  }

  #ended (fault: DmaFault | Promise<DmaFault>): DmaFault | Promise<DmaFault> {
    return typeof fault === 'number' ? this.#note(fault) : fault.then(late => this.#note(late))
  }

  #note (fault: DmaFault): DmaFault {
    if (fault !== DmaFault.NONE) this.#owner.faulted()
    return fault
  }

  #check (offset: number, byteLength: number): void {
    const isInside = offset >= 0 && byteLength >= 0 && offset + byteLength <= this.byteLength
    assert(isInside, 'a device stays inside of the buffers it was given')
  }

  /** The descriptor that byte `offset` lies in. */
  #indexOf (offset: number): number {
    let low = 0
    let high = this.#count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ends[middle]! > offset) high = middle
      else low = middle + 1
    }
    return low
  }

  #grow (): void {
    const bases = new Float64Array(this.#bases.length * 2)
    const ends = new Float64Array(bases.length)
    bases.set(this.#bases)
    ends.set(this.#ends)
    this.#bases = bases
    this.#ends = ends
  }
}
