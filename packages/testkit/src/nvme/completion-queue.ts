import type { GuestMemory } from '../guest/guest-memory.js'
import type { Doorbells } from './doorbells.js'
import { doorbellOffset } from './doorbells.js'
import { Cqe, StatusField } from './layouts.js'
import { decodeStatus } from './status.js'
import type { NvmeCompletion } from './status.js'

/** What a completion queue is made of. */
export interface CompletionQueueSpec {
  readonly id: number
  readonly iova: number
  readonly depth: number
  /** The interrupt vector; undefined where the driver looks by itself. */
  readonly vector: number | undefined
}

/** The driver's side of a completion queue: it follows the phase tag. [NVMe-Base] "Completion Queue Entry". */
export class CompletionQueue implements CompletionQueueSpec {
  readonly id: number
  readonly iova: number
  readonly depth: number
  readonly vector: number | undefined
  readonly #memory: GuestMemory
  readonly #doorbells: Doorbells
  readonly #doorbell: number
  #head = 0
  #phase = 1

  constructor (spec: CompletionQueueSpec, memory: GuestMemory, doorbells: Doorbells, stride: number) {
    this.id = spec.id
    this.iova = spec.iova
    this.depth = spec.depth
    this.vector = spec.vector
    this.#memory = memory
    this.#doorbells = doorbells
    this.#doorbell = doorbellOffset('cq', spec.id, stride)
  }

  /** Takes every completion that is there, at most one round of the queue, and returns its slots. */
  async reap (take: (completion: NvmeCompletion) => void): Promise<number> {
    let count = 0
    while (count < this.depth) {
      const completion = this.#load()
      if (completion === undefined) break
      this.#advance()
      count++
      take(completion)
    }
    if (count > 0) await this.#doorbells.ring(this.#doorbell, this.#head)
    return count
  }

  #load (): NvmeCompletion | undefined {
    const { file, position } = this.#memory.locate(this.iova + this.#head * Cqe.byteLength, Cqe.byteLength)
    // The word with the phase tag is read first, and atomically: what it completes was written before it.
    const last = Atomics.load(file.words, (position + Cqe.cid.offset) >>> 2)
    const halfword = last >>> 16
    if (StatusField.P.get(halfword) !== this.#phase) return undefined
    return {
      status: decodeStatus(halfword),
      dw0: Cqe.dw0.get(file.view, position),
      dw1: Cqe.dw1.get(file.view, position),
      sqhd: Cqe.sqhd.get(file.view, position),
      sqid: Cqe.sqid.get(file.view, position),
      cid: last & 0xffff
    }
  }

  #advance (): void {
    this.#head++
    if (this.#head < this.depth) return
    this.#head = 0
    this.#phase ^= 1
  }
}
