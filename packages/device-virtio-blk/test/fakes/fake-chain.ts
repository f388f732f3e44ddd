import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease, DmaPeek } from '@pcikit/core'
import type { ChainPart, VirtqueueChain } from '@pcikit/virtio'
import { FakeLease } from './fake-lease.js'
import type { FakePiece } from './fake-lease.js'

type Answer = DmaFault | Promise<DmaFault>

/** One part of a fake chain, in an array that is cut into pieces of any length. */
export class FakePart implements ChainPart {
  readonly bytes: Uint8Array
  lease = new FakeLease()
  /** What the next opening comes to. */
  openFault: DmaFault = DmaFault.NONE
  /** What copies come to, by their offset. */
  copyFault: (offset: number) => Answer = () => DmaFault.NONE
  /** What the commit of a peek comes to. */
  peekFault: DmaFault = DmaFault.NONE
  readonly #chain: FakeChain
  readonly #access: DmaAccess
  readonly #cut: number

  constructor (chain: FakeChain, access: DmaAccess, bytes: Uint8Array, cut: number) {
    this.bytes = bytes
    this.#chain = chain
    this.#access = access
    this.#cut = cut
    this.lease.onRevoke = () => chain.onRevoke?.()
  }

  get byteLength (): number {
    return this.bytes.length
  }

  open (offset: number, byteLength: number): DmaFault {
    const fault = this.#chain.isLive ? this.openFault : DmaFault.REVOKED
    return this.lease.openOver(this.#access, this.#piecesOf(offset, byteLength), fault)
  }

  detach (): DmaLease {
    const { lease } = this
    this.lease = new FakeLease()
    this.lease.onRevoke = lease.onRevoke
    return lease
  }

  /** What copies would not come to at once, or is in two pieces, is not found. */
  locate (offset: number, byteLength: number): DmaPeek | undefined {
    const isThere = this.#chain.isLive && this.copyFault(offset) === DmaFault.NONE
    const isOnePiece = offset % this.#cut + byteLength <= this.#cut
    if (!isThere || !isOnePiece) return undefined
    const { buffer, byteOffset } = this.bytes
    return {
      locate: () => false,
      view: new DataView(buffer),
      bytes: new Uint8Array(buffer),
      position: byteOffset + offset,
      commit: () => this.peekFault
    }
  }

  read (offset: number, target: Uint8Array): Answer {
    return this.#copy(offset, () => target.set(this.bytes.subarray(offset, offset + target.length)))
  }

  write (offset: number, source: Uint8Array): Answer {
    if (offset + source.length > this.bytes.length) throw new RangeError('outside of the chain')
    return this.#copy(offset, () => this.bytes.set(source, offset))
  }

  #copy (offset: number, copy: () => void): Answer {
    const answer = this.#chain.isLive ? this.copyFault(offset) : DmaFault.REVOKED
    if (typeof answer !== 'number') {
      return answer.then(fault => {
        if (fault === DmaFault.NONE) copy()
        return fault
      })
    }
    if (answer === DmaFault.NONE) copy()
    return answer
  }

  #piecesOf (offset: number, byteLength: number): FakePiece[] {
    if (offset < 0 || offset + byteLength > this.bytes.length) throw new RangeError('outside of the chain')
    const pieces: FakePiece[] = []
    for (let at = offset; at < offset + byteLength; at += this.#cut) {
      pieces.push({ bytes: this.bytes, offset: at, length: Math.min(this.#cut, offset + byteLength - at) })
    }
    return pieces
  }
}

/** What a fake chain is made of. */
export interface FakeChainOptions {
  readonly readable?: Uint8Array
  readonly writableBytes?: number
  /** Bytes of each piece of memory. */
  readonly cut?: number
  readonly slot?: number
  readonly queueIndex?: number
}

/** A chain over arrays. Its writable part is full of 0xcc at first. */
export class FakeChain implements VirtqueueChain {
  readonly queueIndex: number
  readonly slot: number
  readonly readable: FakePart
  readonly writable: FakePart
  isLive = true
  onRevoke: (() => void) | undefined = undefined
  /** What it was completed with. */
  written: number | undefined = undefined
  /** Resolves once it was completed. */
  readonly completed: Promise<void>
  #completed: () => void = () => undefined

  constructor (options: FakeChainOptions) {
    const { readable = new Uint8Array(), writableBytes = 1, cut = 4096 } = options
    this.queueIndex = options.queueIndex ?? 0
    this.slot = options.slot ?? 0
    this.readable = new FakePart(this, DmaAccess.READ, readable, cut)
    this.writable = new FakePart(this, DmaAccess.WRITE, new Uint8Array(writableBytes).fill(0xcc), cut)
    this.completed = new Promise(resolve => {
      this.#completed = resolve
    })
  }

  /** The status byte. */
  get status (): number {
    return this.writable.bytes.at(-1)!
  }

  /** What the driver reads before the status. */
  get data (): Uint8Array {
    return this.writable.bytes.subarray(0, -1)
  }

  complete (written: number): void {
    if (this.written !== undefined) throw new Error('a chain is completed once')
    this.written = written
    for (const { lease } of [this.readable, this.writable]) if (lease.isOpen) lease.close()
    this.#completed()
  }
}
