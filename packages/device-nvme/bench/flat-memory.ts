import type { BlockBackend } from '@pcikit/block'
import { DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaLease, DmaPeek, DmaSpace, DmaWindow, SegmentList } from '@pcikit/core'

/** Guest memory in one array from address 0 on, at the least possible cost: what is measured is the controller. */
export class FlatDmaSpace implements DmaSpace {
  readonly isBusMaster = true
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly words: Uint32Array

  constructor (byteLength: number) {
    this.bytes = new Uint8Array(byteLength)
    this.view = new DataView(this.bytes.buffer)
    this.words = new Uint32Array(this.bytes.buffer)
  }

  createLease (): DmaLease {
    return new FlatLease(this.bytes)
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return new FlatWindow(this, iova, byteLength, access)
  }

  createPeek (): DmaPeek {
    const peek = {
      view: this.view,
      bytes: this.bytes,
      position: 0,
      commit: () => DmaFault.NONE,
      locate: (iova: number): boolean => {
        peek.position = iova
        return true
      }
    }
    return peek
  }

  read (iova: number, target: Uint8Array): DmaFault {
    target.set(this.bytes.subarray(iova, iova + target.length))
    return DmaFault.NONE
  }

  write (iova: number, source: Uint8Array): DmaFault {
    this.bytes.set(source, iova)
    return DmaFault.NONE
  }

  onMap () {
    return { close: () => undefined }
  }

  onUnmap () {
    return { close: () => undefined }
  }

  async drain (): Promise<void> {
    // Nothing is ever in flight.
  }
}

class FlatWindow implements DmaWindow {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  readonly view: DataView
  readonly bytes: Uint8Array
  readonly words: Uint32Array
  position = 0
  run = 0
  readonly fault = DmaFault.NONE

  constructor (space: FlatDmaSpace, iova: number, byteLength: number, access: DmaAccess) {
    this.iova = iova
    this.byteLength = byteLength
    this.access = access
    this.view = space.view
    this.bytes = space.bytes
    this.words = space.words
  }

  locate (offset: number): boolean {
    this.position = this.iova + offset
    this.run = this.byteLength - offset
    return true
  }

  close (): void {
    // Nothing is held.
  }
}

class FlatLease implements DmaLease {
  readonly #bytes: Uint8Array
  readonly #offsets = new Float64Array(520)
  readonly #lengths = new Float64Array(520)
  access: DmaAccess = 1
  isOpen = false
  readonly fault = DmaFault.NONE
  readonly faultIova = 0
  byteLength = 0
  segmentCount = 0
  onRevoke: (() => void) | undefined = undefined

  constructor (bytes: Uint8Array) {
    this.#bytes = bytes
  }

  bytesAt (): Uint8Array {
    return this.#bytes
  }

  offsetAt (index: number): number {
    return this.#offsets[index]!
  }

  lengthAt (index: number): number {
    return this.#lengths[index]!
  }

  open (access: DmaAccess): void {
    this.access = access
    this.isOpen = true
    this.byteLength = 0
    this.segmentCount = 0
  }

  append (iova: number, byteLength: number): DmaFault {
    this.#offsets[this.segmentCount] = iova
    this.#lengths[this.segmentCount++] = byteLength
    this.byteLength += byteLength
    return DmaFault.NONE
  }

  fetch (): DmaFault {
    return DmaFault.NONE
  }

  commit (): DmaFault {
    return DmaFault.NONE
  }

  close (): void {
    this.isOpen = false
  }
}

/** Storage in one array, answering at once. */
export class FlatBackend implements BlockBackend {
  readonly blockSize = 512
  readonly blockCount: number
  readonly readOnly = false
  readonly supportsDiscard = false
  readonly supportsWriteZeroes = false
  readonly hasVolatileCache = false
  readonly discard = undefined
  readonly #bytes: Uint8Array

  constructor (blockCount: number) {
    this.blockCount = blockCount
    this.#bytes = new Uint8Array(blockCount * this.blockSize)
  }

  read (lba: number, target: SegmentList | Uint8Array): void {
    if (target instanceof Uint8Array) return
    let at = lba * this.blockSize
    for (let index = 0; index < target.segmentCount; index++) {
      const length = target.lengthAt(index)
      target.bytesAt(index).set(this.#bytes.subarray(at, at + length), target.offsetAt(index))
      at += length
    }
  }

  write (): void {
    // Not measured.
  }

  flush (): void {
    // Nothing is cached.
  }

  writeZeroes (): void {
    // Not measured.
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    // Nothing is open.
  }
}
