import { BLOCK_BYTES, IOVA } from '../polled/rig-memory.js'
import type { RigMemory } from '../polled/rig-memory.js'
import { deviceOffset, driverOffset } from './blk-ring.js'
import type { BlkRingOptions } from './blk-ring.js'

const DESCRIPTOR_BYTES = 16
const WRITE = 2
const INDIRECT = 4
const AVAIL_AND_USED = 0x8080
const IN = 0

/**
 * The least that a program in JavaScript can do for a request of virtio-blk: load its descriptors and its header
 * through one view, copy once, and write the status and what gives the buffer back. No check, no queue, no error.
 */
export class BareBlkLoop {
  readonly #memory: RigMemory
  readonly #view: DataView
  readonly #words: Uint32Array
  readonly #options: BlkRingOptions
  #next = 0
  #wrap = 1

  constructor (memory: RigMemory, options: BlkRingOptions) {
    this.#memory = memory
    this.#view = memory.view
    this.#words = memory.words
    this.#options = options
  }

  /** Executes the next `count` requests of a split ring. */
  runSplit (count: number): void {
    const view = this.#view
    const { at, size } = this.#options
    const availableAt = at + driverOffset(size)
    const usedAt = at + deviceOffset(size)
    for (let index = 0; index < count; index++) {
      const entry = this.#next % size
      const head = view.getUint16(availableAt + 4 + entry * 2, true)
      const headAt = at + head * DESCRIPTOR_BYTES
      const isIndirect = (view.getUint16(headAt + 12, true) & INDIRECT) !== 0
      const written = this.#execute(isIndirect ? this.#positionAt(headAt) : headAt)
      view.setUint32(usedAt + 4 + entry * 8, head, true)
      view.setUint32(usedAt + 8 + entry * 8, written, true)
      this.#next = (this.#next + 1) & 0xffff
    }
    Atomics.store(this.#words, usedAt >>> 2, this.#next << 16)
  }

  /** Executes the next `count` requests of a packed ring. */
  runPacked (count: number): void {
    const view = this.#view
    const { at, size } = this.#options
    for (let index = 0; index < count; index++) {
      const headAt = at + this.#next * DESCRIPTOR_BYTES
      const word = Atomics.load(this.#words, (headAt + 12) >>> 2)
      const isIndirect = (word >>> 16 & INDIRECT) !== 0
      // A chain may go on at the start of the ring.
      const written = isIndirect ? this.#execute(this.#positionAt(headAt)) : this.#executeWrapped()
      view.setUint32(headAt + 8, written, true)
      const marks = this.#wrap === 1 ? AVAIL_AND_USED : 0
      this.#next += isIndirect ? 1 : 3
      if (this.#next >= size) {
        this.#next -= size
        this.#wrap ^= 1
      }
      Atomics.store(this.#words, (headAt + 12) >>> 2, word & 0xffff | (marks | WRITE) << 16)
    }
  }

  #executeWrapped (): number {
    return this.#transfer(this.#placeAt(0), this.#placeAt(1), this.#placeAt(2))
  }

  #placeAt (index: number): number {
    const { at, size } = this.#options
    return at + (this.#next + index) % size * DESCRIPTOR_BYTES
  }

  #execute (at: number): number {
    return this.#transfer(at, at + DESCRIPTOR_BYTES, at + 2 * DESCRIPTOR_BYTES)
  }

  /** Returns how many bytes were written. */
  #transfer (headerAt: number, dataAt: number, statusAt: number): number {
    const view = this.#view
    const header = this.#positionAt(headerAt)
    const type = view.getUint32(header, true)
    const sector = view.getUint32(header + 8, true) + view.getUint32(header + 12, true) * 0x1_0000_0000
    const data = this.#positionAt(dataAt)
    const byteLength = view.getUint32(dataAt + 8, true)
    if (type === IN) this.#memory.copyOut(sector * BLOCK_BYTES, data, byteLength)
    else this.#memory.copyIn(sector * BLOCK_BYTES, data, byteLength)
    view.setUint8(this.#positionAt(statusAt), 0)
    return type === IN ? byteLength + 1 : 1
  }

  /** What the address in a descriptor is here. */
  #positionAt (descriptorAt: number): number {
    const view = this.#view
    return view.getUint32(descriptorAt, true) + view.getUint32(descriptorAt + 4, true) * 0x1_0000_0000 - IOVA
  }
}
