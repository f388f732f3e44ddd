import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease, DmaListener, DmaPeek, DmaSpace, DmaWindow, Subscription } from '@pcikit/core'

/** A piece of guest memory. `isShared` false: it is reached by message, that is, later. */
export interface FakeRegion {
  readonly iova: number
  readonly memory: Uint8Array
  readonly access: DmaAccess
  readonly isShared: boolean
}

/** Where one byte range begins in a region. */
interface Piece {
  readonly region: FakeRegion
  readonly offset: number
  readonly length: number
}

/** Guest memory in plain arrays, behind the interface of a device. Counts what a device must get right. */
export class FakeDmaSpace implements DmaSpace {
  readonly regions: FakeRegion[] = []
  readonly leases: FakeLease[] = []
  /** Called with the range of every write by the device, message or not. */
  onWrite: ((iova: number, byteLength: number) => void) | undefined
  isBusMaster = true
  /** Writes by message arrive at once, and are acknowledged when this resolves, or told to have failed. */
  acknowledgement: Promise<DmaFault | void> | undefined
  /** What the commit of a peek comes to. */
  peekFault: DmaFault = DmaFault.NONE
  /** Turns of the event loop until a drain revokes what is still open. */
  drainTurns = Infinity
  readonly #mapListeners = new Set<DmaListener>()
  readonly #unmapListeners = new Set<DmaListener>()
  #version = 0

  get version (): number {
    return this.#version
  }

  /** How often leases were opened. */
  get openings (): number {
    return this.leases.reduce((sum, lease) => sum + lease.openings, 0)
  }

  get openLeases (): number {
    return this.leases.filter(lease => lease.isOpen).length
  }

  map (iova: number, byteLength: number, options: Partial<FakeRegion> = {}): Uint8Array {
    const memory = options.memory ?? new Uint8Array(byteLength)
    const access = options.access ?? DmaAccess.READ_WRITE
    this.regions.push({ iova, memory, access, isShared: options.isShared ?? true })
    this.#version++
    for (const listener of this.#mapListeners) listener(iova, byteLength)
    return memory
  }

  unmap (iova: number): Uint8Array {
    const index = this.regions.findIndex(region => region.iova === iova)
    const [region] = this.regions.splice(index, 1)
    this.#version++
    for (const lease of this.leases) lease.revoke(iova, region!.memory.length)
    for (const listener of this.#unmapListeners) listener(iova, region!.memory.length)
    return region!.memory
  }

  setBusMaster (enabled: boolean): void {
    this.isBusMaster = enabled
    this.#version++
    if (!enabled) { for (const lease of this.leases) lease.revoke(0, Infinity) }
    const listeners = enabled ? this.#mapListeners : this.#unmapListeners
    for (const listener of listeners) listener(0, Number.MAX_SAFE_INTEGER)
  }

  /** The pieces of a range, or why there are none. */
  resolve (iova: number, byteLength: number, access: DmaAccess): Piece[] | DmaFault {
    if (iova + byteLength > 2 ** 53) return DmaFault.OUT_OF_RANGE
    if (!this.isBusMaster) return DmaFault.BUS_MASTER_OFF
    const pieces: Piece[] = []
    for (let at = iova; at < iova + byteLength;) {
      const region = this.regions.find(each => at >= each.iova && at < each.iova + each.memory.length)
      if (region === undefined) return DmaFault.UNMAPPED
      if ((access & DmaAccess.READ & ~region.access) !== 0) return DmaFault.NOT_READABLE
      if ((access & DmaAccess.WRITE & ~region.access) !== 0) return DmaFault.NOT_WRITABLE
      const offset = at - region.iova
      const length = Math.min(region.memory.length - offset, iova + byteLength - at)
      pieces.push({ region, offset, length })
      at += length
    }
    return pieces
  }

  createLease (): DmaLease {
    const lease = new FakeLease(this)
    this.leases.push(lease)
    return lease
  }

  createPeek (): DmaPeek {
    const peek = {
      view: new DataView(new ArrayBuffer(0)),
      bytes: new Uint8Array(0) as Uint8Array,
      position: 0,
      locate: (iova: number, byteLength: number, access: DmaAccess) => {
        const pieces = this.resolve(iova, byteLength, access)
        if (typeof pieces === 'number' || pieces.length !== 1 || !pieces[0]!.region.isShared) return false
        peek.bytes = pieces[0]!.region.memory
        peek.position = pieces[0]!.offset
        return true
      },
      commit: () => this.peekFault
    }
    return peek
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return new FakeWindow(this, iova, byteLength, access)
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    const pieces = this.resolve(iova, target.length, DmaAccess.READ)
    if (typeof pieces === 'number') return pieces
    return soon(pieces, () => {
      let done = 0
      for (const { region, offset, length } of pieces) {
        target.set(region.memory.subarray(offset, offset + length), done)
        done += length
      }
    })
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    const pieces = this.resolve(iova, source.length, DmaAccess.WRITE)
    if (typeof pieces === 'number') return pieces
    const copy = source.slice()
    const isLate = this.acknowledgement !== undefined && pieces.some(({ region }) => !region.isShared)
    const put = (): void => {
      this.onWrite?.(iova, copy.length)
      let done = 0
      for (const { region, offset, length } of pieces) {
        region.memory.set(copy.subarray(done, done + length), offset)
        done += length
      }
    }
    if (!isLate) return soon(pieces, put)
    put()
    return this.acknowledgement!.then(fault => fault ?? DmaFault.NONE)
  }

  onMap (listener: DmaListener): Subscription {
    this.#mapListeners.add(listener)
    return { close: () => this.#mapListeners.delete(listener) }
  }

  onUnmap (listener: DmaListener): Subscription {
    this.#unmapListeners.add(listener)
    return { close: () => this.#unmapListeners.delete(listener) }
  }

  async drain (): Promise<void> {
    for (let turn = 0; this.openLeases > 0 && turn < this.drainTurns; turn++) {
      await new Promise(resolve => setImmediate(resolve))
    }
    for (const lease of this.leases) lease.revoke(0, Infinity)
  }
}

/** Does something now where all pieces are shared, else in a later turn. */
function soon (pieces: readonly Piece[], work: () => void): DmaFault | Promise<DmaFault> {
  if (pieces.every(({ region }) => region.isShared)) {
    work()
    return DmaFault.NONE
  }
  return new Promise(resolve => {
    setImmediate(() => {
      work()
      resolve(DmaFault.NONE)
    })
  })
}

interface LeasedPiece extends Piece {
  /** What the device sees: the memory itself, or a copy where it is reached by message. */
  readonly bytes: Uint8Array
  readonly at: number
}

export class FakeLease implements DmaLease {
  readonly #space: FakeDmaSpace
  readonly #pieces: LeasedPiece[] = []
  access: DmaAccess = DmaAccess.READ
  isOpen = false
  fault: DmaFault = DmaFault.NONE
  faultIova = 0
  byteLength = 0
  onRevoke: (() => void) | undefined = undefined
  openings = 0

  constructor (space: FakeDmaSpace) {
    this.#space = space
  }

  get segmentCount (): number {
    return this.#pieces.length
  }

  bytesAt (index: number): Uint8Array {
    return this.#pieces[index]!.bytes
  }

  offsetAt (index: number): number {
    return this.#pieces[index]!.at
  }

  lengthAt (index: number): number {
    return this.#pieces[index]!.length
  }

  open (access: DmaAccess): void {
    if (this.isOpen) throw new Error('a lease was opened twice')
    this.isOpen = true
    this.openings++
    this.access = access
    this.fault = DmaFault.NONE
    this.byteLength = 0
    this.#pieces.length = 0
  }

  append (iova: number, byteLength: number): DmaFault {
    const pieces = this.#space.resolve(iova, byteLength, this.access)
    if (typeof pieces === 'number') {
      if (this.fault === DmaFault.NONE) this.faultIova = iova
      this.fault = this.fault === DmaFault.NONE ? pieces : this.fault
      return pieces
    }
    for (const piece of pieces) {
      const { region, offset, length } = piece
      this.#pieces.push(
        region.isShared ?
          { ...piece, bytes: region.memory, at: offset } :
          { ...piece, bytes: new Uint8Array(length), at: 0 }
      )
    }
    this.byteLength += byteLength
    return DmaFault.NONE
  }

  fetch (): DmaFault | Promise<DmaFault> {
    return this.#finish(({ region, offset, length, bytes }) => {
      if (!region.isShared) bytes.set(region.memory.subarray(offset, offset + length))
    })
  }

  commit (): DmaFault | Promise<DmaFault> {
    if (this.access === DmaAccess.READ) return this.fault
    return this.#finish(({ region, offset, bytes, length }) => {
      this.#space.onWrite?.(region.iova + offset, length)
      if (!region.isShared) region.memory.set(bytes, offset)
    })
  }

  close (): void {
    if (!this.isOpen) throw new Error('a lease was closed twice')
    this.isOpen = false
  }

  revoke (iova: number, byteLength: number): void {
    const isHit = this.#pieces.some(({ region }) => region.iova >= iova && region.iova < iova + byteLength)
    if (!this.isOpen || !isHit) return
    this.fault = this.fault === DmaFault.NONE ? DmaFault.REVOKED : this.fault
    // As pages that were replaced: whoever goes on writes to nothing.
    this.#pieces.splice(
      0,
      this.#pieces.length,
      ...this.#pieces.map(piece => ({ ...piece, bytes: new Uint8Array(piece.length), at: 0 }))
    )
    this.onRevoke?.()
  }

  #finish (work: (piece: LeasedPiece) => void): DmaFault | Promise<DmaFault> {
    const run = (): DmaFault => {
      if (this.fault === DmaFault.NONE) { for (const piece of this.#pieces) work(piece) }
      return this.fault
    }
    if (this.#pieces.every(({ region }) => region.isShared)) return run()
    return new Promise(resolve => setImmediate(() => resolve(run())))
  }
}

class FakeWindow implements DmaWindow {
  readonly #space: FakeDmaSpace
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  view: DataView = new DataView(new ArrayBuffer(0))
  bytes: Uint8Array = new Uint8Array(0)
  words: Uint32Array = new Uint32Array(0)
  position = 0
  run = 0
  fault: DmaFault = DmaFault.NONE
  #region: FakeRegion | undefined
  #version = -1

  constructor (space: FakeDmaSpace, iova: number, byteLength: number, access: DmaAccess) {
    this.#space = space
    this.iova = iova
    this.byteLength = byteLength
    this.access = access
  }

  locate (offset: number, length: number): boolean {
    const iova = this.iova + offset
    const region = this.#region
    const isSame = region !== undefined && this.#version === this.#space.version && iova >= region.iova &&
      iova + length <= region.iova + region.memory.length
    if (!isSame && !this.#find(iova, length)) return false
    const { iova: start, memory } = this.#region!
    this.position = iova - start
    this.run = Math.min(memory.length - this.position, this.byteLength - offset)
    return true
  }

  close (): void {
    this.#region = undefined
  }

  #find (iova: number, length: number): boolean {
    const pieces = this.#space.resolve(iova, length, this.access)
    this.fault = typeof pieces === 'number' ? pieces : DmaFault.NONE
    if (typeof pieces === 'number' || pieces.length > 1 || !pieces[0]!.region.isShared) return false
    const { region } = pieces[0]!
    this.#region = region
    this.#version = this.#space.version
    this.bytes = region.memory
    this.view = new DataView(region.memory.buffer)
    this.words = new Uint32Array(region.memory.buffer)
    return true
  }
}
