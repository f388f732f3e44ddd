import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaPeek, DmaSpace } from '@pcikit/core'
import { DescribedBuffer, DESCRIPTOR_BYTES } from './descriptor.js'

const CAPACITY_MIN = 64
const NO_VIEW = new DataView(new ArrayBuffer(0))

/** A copy of the table of indirect descriptors that is being walked. [virtio] "Indirect Descriptors". */
export class IndirectTable {
  /** Where `count` descriptors of it are, from `position` on. */
  view: DataView = NO_VIEW
  position = 0
  count = 0
  /** Bytes of the table, as its descriptor says. */
  byteLength = 0
  /** Why it could not be copied. */
  fault: DmaFault = DmaFault.NONE
  readonly #dma: DmaSpace
  readonly #peek: DmaPeek | undefined
  #capacity = 0
  #copy = NO_VIEW
  /** For each number of descriptors an array over the start of `view`, so that none has to be made for a chain. */
  #targets: Uint8Array[] = []
  #iova = 0
  #isAnswered = false
  #reading: Promise<DmaFault> | undefined = undefined

  constructor (dma: DmaSpace) {
    this.#dma = dma
    this.#peek = dma.createPeek?.()
  }

  /** Starts with the table that a descriptor at `base` points to. */
  begin (view: DataView, base: number): void {
    const iova = DescribedBuffer.addr.get(view, base)
    if (iova !== this.#iova) this.#isAnswered = false
    this.#iova = iova
    this.byteLength = DescribedBuffer.len.get(view, base)
  }

  /** Copies the first `count` descriptors of it. False: see `fault`, and NONE means to ask and to try again. */
  load (count: number): boolean {
    if (this.#isAnswered && this.count >= count) return true
    this.#isAnswered = false
    this.count = count
    if (this.#peek?.locate(this.#iova, count * DESCRIPTOR_BYTES, DmaAccess.READ) === true) {
      this.view = this.#peek.view
      this.position = this.#peek.position
      return true
    }
    this.position = 0
    const read = this.#dma.read(this.#iova, this.#target(count))
    if (typeof read === 'number') {
      this.fault = read
      return read === DmaFault.NONE
    }
    this.fault = DmaFault.NONE
    this.#reading = read
    return false
  }

  async ask (): Promise<DmaFault> {
    const fault = await this.#reading!
    this.#reading = undefined
    this.#isAnswered = fault === DmaFault.NONE
    return fault
  }

  /** The next one at the same address is another one. */
  forget (): void {
    this.#isAnswered = false
  }

  #target (count: number): Uint8Array {
    if (count > this.#capacity) {
      this.#capacity = Math.max(CAPACITY_MIN, count)
      this.#copy = new DataView(new ArrayBuffer(this.#capacity * DESCRIPTOR_BYTES))
      this.#targets = []
    }
    this.view = this.#copy
    return this.#targets[count] ??= new Uint8Array(this.#copy.buffer, 0, count * DESCRIPTOR_BYTES)
  }
}
