import { assert, DmaAccess } from '@pcikit/core'
import type { DmaPeek, DmaSpace } from '@pcikit/core'
import type { VirtqueueChain } from '../chain.js'
import { ChainBytes } from './chain-bytes.js'

/** Whom a record belongs to. */
export interface RecordOwner {
  readonly queueIndex: number
  completed(record: ChainRecord, written: number): void
  /** Memory of it could not be reached. */
  faulted(record: ChainRecord): void
}

/** A chain, copied once from guest memory. */
export class ChainRecord implements VirtqueueChain {
  readonly queueIndex: number
  readonly slot: number
  readonly readable: ChainBytes
  readonly writable: ChainBytes
  isLive = false
  onRevoke: (() => void) | undefined = undefined
  /** Taken, and not completed. */
  isTaken = false
  /** What the driver knows it by: the head of a split ring, the buffer ID of a packed one. */
  id = 0
  /** Descriptors of the ring that it takes up. */
  descriptorCount = 0
  /** Its place in the list of used buffers, where that has to keep their order. */
  place = 0
  /** How often bus mastering had been switched off when it was taken; undefined where it was off. */
  busMasterMark: number | undefined = undefined
  /** The next one in the list of free records. */
  next: ChainRecord | undefined = undefined
  readonly #owner: RecordOwner
  #hasWritable = false

  constructor (dma: DmaSpace, peek: DmaPeek | undefined, slot: number, owner: RecordOwner) {
    this.queueIndex = owner.queueIndex
    this.slot = slot
    this.#owner = owner
    this.readable = new ChainBytes(dma, peek, DmaAccess.READ, this)
    this.writable = new ChainBytes(dma, peek, DmaAccess.WRITE, this)
    this.readable.lease.onRevoke = this.writable.lease.onRevoke = () => this.onRevoke?.()
  }

  /** Starts a walk. */
  begin (): void {
    this.readable.clear()
    this.writable.clear()
    this.#hasWritable = false
  }

  /** Adds the buffer of a descriptor at `base`. False: it is for reading, and comes after one for writing. */
  add (view: DataView, base: number, isWritable: boolean): boolean {
    if (this.#hasWritable && !isWritable) return false
    this.#hasWritable = isWritable
    const part = isWritable ? this.writable : this.readable
    part.add(view, base)
    return true
  }

  complete (written: number): void {
    assert(this.isTaken, 'a chain is completed once')
    assert(written >= 0 && written <= this.writable.byteLength, 'a device writes no more than there is room for')
    this.readable.close()
    this.writable.close()
    this.#owner.completed(this, written)
  }

  faulted (): void {
    this.#owner.faulted(this)
  }
}
