import type { DmaAccess } from '@pcikit/core'
import { InFlight } from './in-flight.js'
import type { InUse } from './in-flight.js'
import type { MappedPages } from './mapped-pages.js'
import type { SharedFile } from './shared-file.js'

/** Regions and transfers end here or below: all addresses up to it are exact as doubles. */
export const ADDRESS_END = 2 ** 53

/** The unit in which clients map memory, in bytes. [vfio-user] "VFIO_USER_VERSION", capability `pgsizes`. */
export const PAGE_BYTES = 4096

/** A range of guest addresses, and the part of a file that is behind it or, without a file, the client itself. */
export class Region implements InUse {
  readonly iova: number
  readonly byteLength: number
  /** The first address after the region. */
  readonly end: number
  readonly access: DmaAccess
  readonly file: SharedFile | undefined
  readonly fileOffset: number
  /** Messages to the client about this memory that are not answered yet. */
  readonly inFlight = new InFlight()
  /** Its neighbours in the order of addresses, kept by IovaSpace. */
  previous: Region | undefined = undefined
  next: Region | undefined = undefined
  /** False as soon as an unmap takes it out of the table. */
  isPresent = true
  /** True once an unmap stopped waiting for messages about it: their answers come too late. */
  isCutOff = false
  /** The memory as this process has it mapped; undefined until it is touched, and again when it was given up. */
  pages: MappedPages | undefined = undefined
  /** Mappings that were given up while leases were open on them. */
  readonly retired: MappedPages[] = []

  constructor (iova: number, byteLength: number, access: DmaAccess, file: SharedFile | undefined, fileOffset: number) {
    this.iova = iova
    this.byteLength = byteLength
    this.end = iova + byteLength
    this.access = access
    this.file = file
    this.fileOffset = fileOffset
  }

  /** The first address that cannot be reached: the region's end, or where its file ends before. */
  get reachableEnd (): number {
    const file = this.file
    if (file === undefined) return this.end
    return Math.min(this.end, this.iova + file.byteLength - this.fileOffset)
  }

  cutOff (): void {
    this.isCutOff = true
  }
}
