import { DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaPeek } from '@pcikit/core'
import type { FakeDmaManager } from './fake-dma-manager.js'

/** A look at memory of the fake manager. */
export class FakePeek implements DmaPeek {
  readonly #manager: FakeDmaManager
  view: DataView = new DataView(new ArrayBuffer(0))
  bytes: Uint8Array = new Uint8Array(0)
  position = 0

  constructor (manager: FakeDmaManager) {
    this.#manager = manager
  }

  locate (iova: number, byteLength: number, access: DmaAccess): boolean {
    const [piece, ...more] = this.#manager.resolve(iova, byteLength, access).pieces
    if (piece === undefined || more.length > 0 || !piece.region.isShared) return false
    this.view = piece.region.view
    this.bytes = piece.region.bytes
    this.position = piece.offset
    return true
  }

  /** Files of the fake manager keep their size. */
  commit (): DmaFault {
    return DmaFault.NONE
  }
}
