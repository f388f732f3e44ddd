import type { BlockBackend } from '@pcikit/block'
import { SECTOR_BYTES } from './protocol.js'

/** A back end as requests see it: in sectors of 512 bytes, whatever its block size. */
export class Disk {
  readonly backend: BlockBackend
  readonly readOnly: boolean
  readonly sectorsPerBlock: number

  /** `readOnly` makes a disk of it that cannot be changed, whatever the back end allows. */
  constructor (backend: BlockBackend, readOnly: boolean) {
    this.backend = backend
    this.readOnly = readOnly || backend.readOnly
    this.sectorsPerBlock = backend.blockSize / SECTOR_BYTES
  }

  /** What the back end has at the moment. */
  get sectorCount (): number {
    return this.backend.blockCount * this.sectorsPerBlock
  }

  /** Whether all of these sectors are on the disk, and are whole blocks. */
  has (sector: number, count: number): boolean {
    // The difference cannot overflow where the sum could: a driver may ask for 2^64 - 1.
    return sector <= this.sectorCount - count && this.#isWhole(sector) && this.#isWhole(count)
  }

  #isWhole (sectors: number): boolean {
    return this.sectorsPerBlock === 1 || sectors % this.sectorsPerBlock === 0
  }
}
