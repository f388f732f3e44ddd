import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease } from '@pcikit/core'

/** A piece of the memory of a fake chain. */
export interface FakePiece {
  readonly bytes: Uint8Array
  readonly offset: number
  readonly length: number
}

/** A lease over arrays, whose faults the test chooses. */
export class FakeLease implements DmaLease {
  access: DmaAccess = DmaAccess.READ
  isOpen = false
  fault: DmaFault = DmaFault.NONE
  faultIova = 0
  onRevoke: (() => void) | undefined = undefined
  /** What the next `fetch` and `commit` come to. */
  fetchFault: DmaFault | Promise<DmaFault> = DmaFault.NONE
  commitFault: DmaFault | Promise<DmaFault> = DmaFault.NONE
  commitCount = 0
  openings = 0
  #pieces: readonly FakePiece[] = []

  get byteLength (): number {
    return this.#pieces.reduce((sum, { length }) => sum + length, 0)
  }

  get segmentCount (): number {
    return this.#pieces.length
  }

  bytesAt (index: number): Uint8Array {
    return this.#pieces[index]!.bytes
  }

  offsetAt (index: number): number {
    return this.#pieces[index]!.offset
  }

  lengthAt (index: number): number {
    return this.#pieces[index]!.length
  }

  open (access: DmaAccess): void {
    if (this.isOpen) throw new Error('a lease is closed before it is opened again')
    this.isOpen = true
    this.openings++
    this.access = access
    this.fault = DmaFault.NONE
  }

  /** Opens over pieces, or with a fault. */
  openOver (access: DmaAccess, pieces: readonly FakePiece[], fault: DmaFault): DmaFault {
    this.open(access)
    this.#pieces = fault === DmaFault.NONE ? pieces : []
    this.fault = fault
    return fault
  }

  append (): DmaFault {
    throw new Error('fake chains open their leases themselves')
  }

  fetch (): DmaFault | Promise<DmaFault> {
    return this.fault === DmaFault.NONE ? this.fetchFault : this.fault
  }

  commit (): DmaFault | Promise<DmaFault> {
    this.commitCount++
    return this.fault === DmaFault.NONE ? this.commitFault : this.fault
  }

  close (): void {
    if (!this.isOpen) throw new Error('a lease is closed once')
    this.isOpen = false
    this.#pieces = []
  }

  /** The memory goes: the pieces are empty. */
  revoke (): void {
    this.fault = DmaFault.REVOKED
    this.#pieces = this.#pieces.map(() => ({ bytes: new Uint8Array(), offset: 0, length: 0 }))
    this.onRevoke?.()
  }
}
