import { DataBuffer } from './data-buffer.js'
import type { GuestMemory } from './guest-memory.js'
import { fillPattern, firstDifference, seededRandom } from './pattern.js'

/** A command of the verifier. */
export interface VerifiedTransfer {
  readonly nsid: number
  readonly slba: number
  readonly blockCount: number
  readonly buffer: DataBuffer
}

/** A queue to a disk: an `IoQueue` of NVMe, or a `VirtioBlkQueue`. Both reject where a command fails. */
export interface VerifiedQueue {
  read(transfer: VerifiedTransfer): Promise<void>
  write(transfer: VerifiedTransfer): Promise<void>
}

/** What the verifier works on. */
export interface DiskVerifierOptions {
  readonly memory: GuestMemory
  /** The namespace, where there is such a thing: 1 unless given. */
  readonly nsid?: number
  readonly blockBytes: number
  /** How many blocks of the disk it uses, from the first on. */
  readonly blockCount: number
  /** The most blocks of one command. */
  readonly transferBlocksMax: number
  /** Replays a run. */
  readonly seed: number
}

/** How long one run is. */
export interface VerifierRun {
  /** Commands under way on each queue. */
  readonly depth: number
  /** Commands in all. */
  readonly commands: number
}

/**
 * Writes and reads at random and knows what must be there. No two commands under way touch the same block, so that
 * each has one right outcome. Buffers start at random places in their pages, and half of them are scattered.
 */
export class DiskVerifier {
  readonly #options: DiskVerifierOptions
  readonly #expected: Uint8Array
  readonly #busy: Uint8Array
  readonly #random: () => number
  #writes = 0

  constructor (options: DiskVerifierOptions) {
    this.#options = options
    this.#expected = new Uint8Array(options.blockCount * options.blockBytes)
    this.#busy = new Uint8Array(options.blockCount)
    this.#random = seededRandom(options.seed)
  }

  /** Runs commands on all queues at once. Throws at the first that fails or reads something else than was written. */
  async run (queues: readonly VerifiedQueue[], { depth, commands }: VerifierRun): Promise<void> {
    let remaining = commands
    const work = async (queue: VerifiedQueue): Promise<void> => {
      while (remaining-- > 0) await this.#step(queue)
    }
    await Promise.all(queues.flatMap(queue => Array.from({ length: depth }, () => work(queue))))
  }

  /** Reads everything and compares. */
  async check (queue: VerifiedQueue): Promise<void> {
    const { memory, blockCount: total, transferBlocksMax, blockBytes, nsid = 1 } = this.#options
    for (let slba = 0; slba < total; slba += transferBlocksMax) {
      const blockCount = Math.min(transferBlocksMax, total - slba)
      const buffer = DataBuffer.contiguous(memory, blockCount * blockBytes)
      try {
        await this.#read(queue, { nsid, slba, blockCount, buffer })
      } finally {
        buffer.free()
      }
    }
  }

  async #step (queue: VerifiedQueue): Promise<void> {
    const { slba, blockCount } = this.#take()
    const { memory, blockBytes, nsid = 1 } = this.#options
    const offset = 4 * Math.floor(this.#random() * 256)
    const byteLength = blockCount * blockBytes
    const buffer = this.#random() < 0.5 ?
      DataBuffer.scattered(memory, byteLength, offset) :
      DataBuffer.contiguous(memory, byteLength, offset)
    try {
      if (this.#random() < 0.5) await this.#write(queue, { nsid, slba, blockCount, buffer })
      else await this.#read(queue, { nsid, slba, blockCount, buffer })
    } finally {
      this.#busy.fill(0, slba, slba + blockCount)
      buffer.free()
    }
  }

  async #write (queue: VerifiedQueue, transfer: VerifiedTransfer): Promise<void> {
    const bytes = fillPattern(new Uint8Array(transfer.buffer.byteLength), ++this.#writes)
    transfer.buffer.write(bytes)
    await queue.write(transfer)
    this.#expected.set(bytes, transfer.slba * this.#options.blockBytes)
  }

  async #read (queue: VerifiedQueue, transfer: VerifiedTransfer): Promise<void> {
    transfer.buffer.fill(0xee)
    await queue.read(transfer)
    this.#compare(transfer.slba, transfer.buffer.read())
  }

  #compare (slba: number, bytes: Uint8Array): void {
    const start = slba * this.#options.blockBytes
    const at = firstDifference(this.#expected.subarray(start, start + bytes.length), bytes)
    if (at < 0) return
    const { blockBytes, seed } = this.#options
    const block = slba + Math.floor(at / blockBytes)
    throw new Error(`Block ${block} has a wrong byte at ${at % blockBytes} (seed ${seed}).`)
  }

  #take (): { slba: number, blockCount: number } {
    const { blockCount: total, transferBlocksMax } = this.#options
    for (;;) {
      const blockCount = 1 + Math.floor(this.#random() * transferBlocksMax)
      const slba = Math.floor(this.#random() * (total - blockCount + 1))
      if (this.#busy.subarray(slba, slba + blockCount).includes(1)) continue
      this.#busy.fill(1, slba, slba + blockCount)
      return { slba, blockCount }
    }
  }
}
