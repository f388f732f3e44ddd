import type { RigMemory } from './rig-memory.js'
import { BLOCK_BYTES, IOVA } from './rig-memory.js'

const COMMAND_BYTES = 64
const COMPLETION_BYTES = 16
const READ = 2
const QUEUE_ID = 1

/** Where the rings of the loop are. */
export interface BareLoopPlace {
  readonly submissionsAt: number
  readonly completionsAt: number
  readonly entries: number
}

/**
 * The least that a program in JavaScript can do for a command: load its fields through one view, copy once, and write a
 * completion with its phase. No check, no queue, no error. It is what a controller is measured against.
 */
export class BareLoop {
  readonly #memory: RigMemory
  readonly #view: DataView
  readonly #words: Uint32Array
  readonly #place: BareLoopPlace
  #head = 0
  #phase = 1

  constructor (memory: RigMemory, place: BareLoopPlace) {
    this.#memory = memory
    this.#view = memory.view
    this.#words = memory.words
    this.#place = place
  }

  /** Executes the next `count` commands of the ring. */
  run (count: number): void {
    const view = this.#view
    const { submissionsAt, completionsAt, entries } = this.#place
    for (let index = 0; index < count; index++) {
      const base = submissionsAt + this.#head * COMMAND_BYTES
      const opcode = view.getUint8(base)
      const cid = view.getUint16(base + 2, true)
      const nsid = view.getUint32(base + 4, true)
      const prp1 = view.getUint32(base + 24, true) + view.getUint32(base + 28, true) * 0x1_0000_0000
      const prp2 = view.getUint32(base + 32, true) + view.getUint32(base + 36, true) * 0x1_0000_0000
      const lba = view.getUint32(base + 40, true) + view.getUint32(base + 44, true) * 0x1_0000_0000
      const byteLength = ((view.getUint32(base + 48, true) & 0xffff) + 1) * BLOCK_BYTES
      if (nsid !== 1 || prp2 < 0) throw new Error('A command is not as it was written.')
      if (opcode === READ) this.#memory.copyOut(lba * BLOCK_BYTES, prp1 - IOVA, byteLength)
      else this.#memory.copyIn(lba * BLOCK_BYTES, prp1 - IOVA, byteLength)
      this.#complete(completionsAt + this.#head * COMPLETION_BYTES, cid)
      if (++this.#head === entries) {
        this.#head = 0
        this.#phase ^= 1
      }
    }
  }

  #complete (at: number, cid: number): void {
    const view = this.#view
    view.setUint32(at, 0, true)
    view.setUint32(at + 4, 0, true)
    view.setUint16(at + 8, this.#head, true)
    view.setUint16(at + 10, QUEUE_ID, true)
    Atomics.store(this.#words, (at + 12) >>> 2, cid | this.#phase << 16)
  }
}
