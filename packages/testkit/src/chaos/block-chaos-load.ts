import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import { pattern } from '../guest/pattern.js'
import { CommandAbandonedError } from '../guest/pending-commands.js'
import { BlockModel } from './block-model.js'
import type { BlockRun } from './block-model.js'
import type { ChaosDisk, ChaosOutcome, ChaosQueue } from './chaos-disk.js'
import type { ChaosConditions, ChaosLoad } from './chaos-load.js'
import { ChaosRandom } from './chaos-random.js'

/** What the load works with, and how much of it there is. */
export interface BlockChaosLoadOptions {
  readonly disk: ChaosDisk
  readonly memory: GuestMemory
  readonly seed: number
  /** Bytes of a block of the disk. */
  readonly blockBytes: number
  /** Blocks of the disk to use, many more than are under way at a time. */
  readonly blockCount: number
  /** Commands under way on each queue, 16 unless given. */
  readonly depth?: number
  /** The most blocks of a command, 32 unless given. */
  readonly transferBlocksMax?: number
}

type Step = 'read' | 'write' | 'compare' | 'zeroes' | 'flush' | 'identify'

const STEPS: readonly (readonly [Step, number])[] = [
  ['read', 45],
  ['write', 38],
  ['compare', 5],
  ['zeroes', 4],
  ['flush', 4],
  ['identify', 4]
]

const PAGE_BYTES = 4096
/** From which the data of all writes is taken. */
const PATTERN_BYTES = 0x4_0000
/** Commands that prove that the device works. */
const PROOF_STEPS = 64

/** Reads, writes and more on a disk, with everything in memory that comes and goes. */
export class BlockChaosLoad implements ChaosLoad {
  commandCount = 0
  readonly #options: BlockChaosLoadOptions
  readonly #disk: ChaosDisk
  readonly #depth: number
  readonly #transferBlocksMax: number
  readonly #model: BlockModel
  readonly #random: ChaosRandom
  readonly #pattern: Uint8Array
  readonly #workers = new Set<Promise<void>>()
  #conditions: ChaosConditions | undefined
  #isRunning = false
  #failure: Error | undefined

  constructor (options: BlockChaosLoadOptions) {
    this.#options = options
    this.#disk = options.disk
    this.#depth = options.depth ?? 16
    this.#transferBlocksMax = options.transferBlocksMax ?? 32
    this.#model = new BlockModel(options.blockCount, options.blockBytes)
    this.#random = new ChaosRandom(options.seed)
    this.#pattern = pattern(PATTERN_BYTES, options.seed)
  }

  get resets (): readonly string[] {
    return this.#disk.resets
  }

  async reset (name: string): Promise<void> {
    await this.#disk.reset(name)
  }

  async start (conditions: ChaosConditions): Promise<void> {
    this.#conditions = conditions
    await this.#disk.start(this.#random)
    this.resume()
  }

  pause (): void {
    this.#isRunning = false
  }

  resume (): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#work(queue => this.#isRunning ? this.#step(queue) : undefined)
  }

  abandon (reason: string): void {
    this.#disk.abandon(reason)
  }

  async idle (): Promise<void> {
    while (this.#workers.size > 0) await Promise.all(this.#workers)
  }

  async prove (): Promise<void> {
    let remaining = PROOF_STEPS
    this.#work(queue => remaining-- > 0 ? this.#step(queue) : undefined)
    await this.idle()
    const { blockCount } = this.#options
    let next = 0
    this.#work(queue => {
      const slba = next
      next += this.#transferBlocksMax
      if (slba >= blockCount) return undefined
      return this.#read(queue, { slba, blockCount: Math.min(this.#transferBlocksMax, blockCount - slba) })
    })
    await this.idle()
    this.check()
  }

  check (): void {
    const [anomaly] = this.#disk.anomalies
    if (this.#failure !== undefined) throw this.#failure
    if (anomaly !== undefined) throw new Error(anomaly)
  }

  /** Does steps on all queues, a number of them at a time, until `step` does none. */
  #work (step: (queue: ChaosQueue) => Promise<void> | undefined): void {
    for (const queue of this.#disk.queues) {
      for (let count = 0; count < this.#depth; count++) {
        const worker = this.#repeat(() => step(queue)).finally(() => this.#workers.delete(worker))
        this.#workers.add(worker)
      }
    }
  }

  async #repeat (step: () => Promise<void> | undefined): Promise<void> {
    while (this.#failure === undefined) {
      const done = step()
      if (done === undefined) return
      await this.#attempt(done)
    }
  }

  /** A command that a reset took away has ended too. */
  async #attempt (step: Promise<void>): Promise<void> {
    try {
      await step
    } catch (error) {
      if (!(error instanceof CommandAbandonedError)) this.#failure ??= error as Error
    }
    this.commandCount++
  }

  async #step (queue: ChaosQueue): Promise<void> {
    const step = this.#random.weigh(STEPS)
    if (step === 'flush') return void await this.#settle('Flush', () => queue.flush())
    if (step === 'identify') return void await this.#settle('Identify', () => queue.identify())
    const run = this.#model.take(this.#random, this.#transferBlocksMax)
    try {
      if (step === 'read') await this.#read(queue, run)
      else if (step === 'compare') await this.#compare(queue, run)
      else await this.#write(queue, run, step === 'zeroes')
    } finally {
      this.#model.release(run)
    }
  }

  async #read (queue: ChaosQueue, run: BlockRun): Promise<void> {
    const buffer = this.#createBuffer(run)
    try {
      buffer.fill(0xee)
      const succeeded = await this.#settle('Read', () => queue.read(run, buffer))
      const wrong = succeeded ? this.#model.read(run, buffer.read()) : undefined
      if (wrong !== undefined) throw new Error(`A read returned something else than was written: ${wrong}.`)
    } finally {
      buffer.free()
    }
  }

  async #write (queue: ChaosQueue, run: BlockRun, isZeroes: boolean): Promise<void> {
    const byteLength = run.blockCount * this.#model.blockBytes
    const buffer = this.#createBuffer(run)
    const bytes = isZeroes ? new Uint8Array(byteLength) : this.#chooseData(byteLength)
    this.#model.forget(run)
    try {
      buffer.write(bytes)
      const submit = () => isZeroes ? queue.zeroes(run) : queue.write(run, buffer)
      if (await this.#settle('Write', submit)) this.#model.written(run, bytes)
    } finally {
      buffer.free()
    }
  }

  async #compare (queue: ChaosQueue, run: BlockRun): Promise<void> {
    const known = this.#model.known(run)
    const compare = queue.compare?.bind(queue)
    if (known === undefined || compare === undefined) return this.#read(queue, run)
    const buffer = this.#createBuffer(run)
    try {
      buffer.write(known)
      await this.#settle('Compare', () => compare(run, buffer))
    } finally {
      buffer.free()
    }
  }

  /** True where the command succeeded. False where it failed as a command may whose memory was being taken away. */
  async #settle (what: string, submit: () => Promise<ChaosOutcome>): Promise<boolean> {
    const conditions = this.#conditions!
    const { disturbances, isCalm } = conditions
    const outcome = await submit()
    if (outcome === 'success') return true
    const wasDisturbed = !isCalm || conditions.disturbances !== disturbances
    if (wasDisturbed && outcome === 'memory fault') return false
    const when = wasDisturbed ? 'while memory went away' : 'although all of its memory was there'
    throw new Error(`${what} ended with ${outcome} ${when}.`)
  }

  /** A part of a long pattern, which costs less than a pattern for each command. */
  #chooseData (byteLength: number): Uint8Array {
    const start = this.#random.below(PATTERN_BYTES - byteLength)
    return this.#pattern.subarray(start, start + byteLength)
  }

  /** Anywhere in its pages, and half of them in pages that do not follow one another. */
  #createBuffer ({ blockCount }: BlockRun): DataBuffer {
    const { memory } = this.#options
    const { alignmentBytes } = this.#disk
    const byteLength = blockCount * this.#model.blockBytes
    const offset = alignmentBytes * this.#random.below(PAGE_BYTES / alignmentBytes)
    return this.#random.chance(0.5) ?
      DataBuffer.scattered(memory, byteLength, offset) :
      DataBuffer.contiguous(memory, byteLength, offset)
  }
}
