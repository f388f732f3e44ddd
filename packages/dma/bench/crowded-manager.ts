import { DmaAccess, silentLogger, silentRecorder } from '@pcikit/core'
import { createMemoryFile, duplicateDescriptor } from '@pcikit/native'
import { MappedDmaManager } from '../src/mapped-dma-manager.js'
import { mappedDmaOptions } from '../src/options.js'

export const PAGE = 4096

/** A manager with regions of one sealed file. Between two regions there is as much room as one takes. */
export class CrowdedManager {
  readonly dma = new MappedDmaManager(mappedDmaOptions.parse({ regionsMax: 2 ** 17 }), silentRecorder, silentLogger)
  readonly #descriptor: number
  readonly #regionBytes: number

  constructor (regionCount: number, regionBytes = PAGE) {
    this.#regionBytes = regionBytes
    this.#descriptor = createMemoryFile('bench', regionBytes * regionCount, { seal: true })
    for (let index = 0; index < regionCount; index += 1) this.map(index * 2, index)
    this.dma.setBusMaster(true)
  }

  /** The address of a slot: regions are in the even ones. */
  iovaOf (slot: number): number {
    return 2 ** 32 + slot * this.#regionBytes
  }

  map (slot: number, place: number): void {
    this.dma.map({
      iova: this.iovaOf(slot),
      byteLength: this.#regionBytes,
      access: DmaAccess.READ_WRITE,
      fileOffset: place * this.#regionBytes,
      descriptor: duplicateDescriptor(this.#descriptor)
    })
  }
}
