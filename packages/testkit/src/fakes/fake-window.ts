import { DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaWindow } from '@pcikit/core'
import type { FakeDmaManager } from './fake-dma-manager.js'

/** A window of the fake manager: it looks its memory up each time. */
export class FakeWindow implements DmaWindow {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  readonly #manager: FakeDmaManager
  view: DataView = new DataView(new ArrayBuffer(0))
  bytes: Uint8Array = new Uint8Array(0)
  words: Uint32Array = new Uint32Array(0)
  position = 0
  run = 0
  fault: DmaFault = DmaFault.NONE

  constructor (manager: FakeDmaManager, iova: number, byteLength: number, access: DmaAccess) {
    this.#manager = manager
    this.iova = iova
    this.byteLength = byteLength
    this.access = access
  }

  locate (offset: number, length: number): boolean {
    const { fault, pieces } = this.#manager.resolve(this.iova + offset, length, this.access)
    this.fault = fault
    const [piece, ...more] = pieces
    if (piece === undefined || more.length > 0 || !piece.region.isShared) return false
    const { region } = piece
    this.view = region.view
    this.bytes = region.bytes
    this.words = region.words
    this.position = piece.offset
    this.run = Math.min(region.bytes.length - piece.offset, this.byteLength - offset)
    return true
  }

  close (): void {
    this.fault = DmaFault.NONE
  }
}
