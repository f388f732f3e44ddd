import { assert, DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease } from '@pcikit/core'
import type { FakeDmaManager, FakePiece } from './fake-dma-manager.js'
import type { FakeRegion, RegionUser } from './fake-region.js'

interface Segment extends FakePiece {
  readonly bytes: Uint8Array
  readonly position: number
}

/** A lease of the fake manager. Memory that the client does not share is a copy that `fetch` and `commit` exchange. */
export class FakeLease implements DmaLease, RegionUser {
  readonly #manager: FakeDmaManager
  #segments: Segment[] = []
  isOpen = false
  access: DmaAccess = DmaAccess.READ
  fault: DmaFault = DmaFault.NONE
  faultIova = 0
  onRevoke: (() => void) | undefined = undefined
  /** What was taken away since `open`. */
  readonly #lost = new Set<FakeRegion>()

  constructor (manager: FakeDmaManager) {
    this.#manager = manager
  }

  get byteLength (): number {
    return this.#segments.reduce((sum, segment) => sum + segment.length, 0)
  }

  get segmentCount (): number {
    return this.#segments.length
  }

  bytesAt (index: number): Uint8Array {
    return this.#segments[index]!.bytes
  }

  offsetAt (index: number): number {
    return this.#segments[index]!.position
  }

  lengthAt (index: number): number {
    return this.#segments[index]!.length
  }

  open (access: DmaAccess): void {
    assert(!this.isOpen, 'a lease is closed before it is opened again')
    this.isOpen = true
    this.access = access
    this.fault = DmaFault.NONE
    this.faultIova = 0
    this.#lost.clear()
    this.#manager.track(this)
  }

  append (iova: number, byteLength: number): DmaFault {
    assert(this.isOpen, 'only an open lease takes ranges')
    const { fault, faultIova, pieces } = this.#manager.resolve(iova, byteLength, this.access)
    if (fault !== DmaFault.NONE) return this.#fail(fault, faultIova)
    for (const piece of pieces) {
      piece.region.hold(this, piece.iova)
      this.#segments.push(segmentOf(piece))
    }
    return DmaFault.NONE
  }

  fetch (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'only an open lease is fetched')
    return (this.access & DmaAccess.READ) === 0 ? this.fault : this.#exchange('read')
  }

  commit (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'only an open lease is committed')
    if (this.fault !== DmaFault.NONE) return this.fault
    if (!this.#manager.isBusMaster) return this.#fail(DmaFault.BUS_MASTER_OFF, this.#segments[0]?.iova ?? 0)
    return (this.access & DmaAccess.WRITE) === 0 ? this.fault : this.#exchange('write')
  }

  close (): void {
    assert(this.isOpen, 'a lease is closed once for each time it was opened')
    this.isOpen = false
    for (const { region } of this.#segments) region.letGo(this)
    this.#segments = []
    this.#manager.track(this)
  }

  revoke (region: FakeRegion, iova: number): void {
    this.#fail(DmaFault.REVOKED, iova)
    this.#lost.add(region)
    if (this.#segments.every(segment => this.#lost.has(segment.region))) this.onRevoke?.()
  }

  #exchange (direction: 'read' | 'write'): DmaFault | Promise<DmaFault> {
    const remote = this.#segments.filter(segment => !segment.region.isShared)
    return remote.length === 0 ? this.fault : this.#exchangeAll(direction, remote)
  }

  async #exchangeAll (direction: 'read' | 'write', remote: readonly Segment[]): Promise<DmaFault> {
    for (const { iova, bytes } of remote) {
      if (!await this.#manager.exchange(direction, iova, bytes)) this.#fail(DmaFault.PEER_FAILED, iova)
      if (this.fault !== DmaFault.NONE) break
    }
    return this.fault
  }

  /** Keeps the first fault. Returns the one given. */
  #fail (fault: DmaFault, iova: number): DmaFault {
    if (this.fault === DmaFault.NONE) {
      this.fault = fault
      this.faultIova = iova
    }
    return fault
  }
}

function segmentOf (piece: FakePiece): Segment {
  const { region, offset, length } = piece
  if (region.isShared) return { ...piece, bytes: region.bytes, position: offset }
  return { ...piece, bytes: new Uint8Array(length), position: 0 }
}
