import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import { pattern } from '../guest/pattern.js'
import { CommandAbandonedError } from '../guest/pending-commands.js'
import type { IoQueue } from '../nvme/io-queue.js'
import { AdminOpcode, Cns, IoOpcode, Property } from '../nvme/layouts.js'
import type { NvmeDriver } from '../nvme/nvme-driver.js'
import { NvmeStatusCode, statusCode } from '../nvme/status.js'
import type { NvmeCompletion } from '../nvme/status.js'
import type { PciDriver } from '../pci/pci-driver.js'
import { BlockModel } from './block-model.js'
import type { BlockRun } from './block-model.js'
import type { ChaosConditions, ChaosLoad } from './chaos-load.js'
import { ChaosRandom } from './chaos-random.js'

/** What the load works with, and how much of it there is. */
export interface NvmeChaosLoadOptions {
  readonly driver: NvmeDriver
  readonly pci: PciDriver
  readonly memory: GuestMemory
  readonly seed: number
  /** Bytes of a block of namespace 1. */
  readonly blockBytes: number
  /** Blocks of namespace 1 to use, many more than are under way at a time. */
  readonly blockCount: number
  /** I/O queue pairs, 2 unless given. */
  readonly queueCount?: number
  /** Commands under way on each, 16 unless given. */
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

const CC_EN_RESET = 'CC.EN = 0'
const READY_TIMEOUT_MS = 20_000
const PAGE_BYTES = 4096
/** The second byte of OACS, and its bit for Doorbell Buffer Config. [NVMe-Base] "Identify Controller". */
const OACS_HIGH_AT = 257
const DOORBELL_BUFFERS = 1
/** Entries of a queue: an entry is 64 bytes, so a queue spans two pages, which may end up in different regions. */
const QUEUE_ENTRIES = 128
/** From which the data of all writes is taken. */
const PATTERN_BYTES = 0x4_0000
/** Commands that prove that the controller works. */
const PROOF_STEPS = 64

interface QueuePlace {
  readonly submissionIova: number
  readonly completionIova: number
}

/** Reads, writes and more on an NVMe controller, with everything in memory that comes and goes. */
export class NvmeChaosLoad implements ChaosLoad {
  readonly resets: readonly string[] = [CC_EN_RESET]
  commandCount = 0
  readonly #options: NvmeChaosLoadOptions
  readonly #depth: number
  readonly #transferBlocksMax: number
  readonly #model: BlockModel
  readonly #random: ChaosRandom
  readonly #pattern: Uint8Array
  readonly #places: readonly QueuePlace[]
  readonly #workers = new Set<Promise<void>>()
  #queues: IoQueue[] = []
  #conditions: ChaosConditions | undefined
  #isRunning = false
  #failure: Error | undefined

  constructor (options: NvmeChaosLoadOptions) {
    this.#options = options
    this.#depth = options.depth ?? 16
    this.#transferBlocksMax = options.transferBlocksMax ?? 32
    this.#model = new BlockModel(options.blockCount, options.blockBytes)
    this.#random = new ChaosRandom(options.seed)
    this.#pattern = pattern(PATTERN_BYTES, options.seed)
    this.#places = Array.from({ length: options.queueCount ?? 2 }, () => ({
      submissionIova: options.memory.allocate(QUEUE_ENTRIES * 64),
      completionIova: options.memory.allocate(QUEUE_ENTRIES * 16)
    }))
  }

  async reset (): Promise<void> {
    const { registers } = this.#options.driver
    await registers.write32(Property.CC, 0)
    await registers.waitReady(false, READY_TIMEOUT_MS)
  }

  async start (conditions: ChaosConditions): Promise<void> {
    const { driver, pci } = this.#options
    this.#conditions = conditions
    await pci.enable()
    await driver.enable()
    await driver.admin.setQueueCount(this.#places.length)
    this.#queues = []
    for (const [index, place] of this.#places.entries()) {
      this.#queues.push(await driver.createQueuePair({ id: index + 1, depth: QUEUE_ENTRIES, ...place }))
    }
    const isOffered = ((await driver.admin.identify(Cns.CONTROLLER))[OACS_HIGH_AT]! & DOORBELL_BUFFERS) !== 0
    if (isOffered && this.#random.chance(0.75)) await driver.configureDoorbellBuffers()
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
    this.#options.driver.abandon(reason)
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
    const [anomaly] = this.#options.driver.anomalies
    if (this.#failure !== undefined) throw this.#failure
    if (anomaly !== undefined) throw new Error(anomaly)
  }

  /** Does steps on all queues, a number of them at a time, until `step` does none. */
  #work (step: (queue: IoQueue) => Promise<void> | undefined): void {
    for (const queue of this.#queues) {
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

  async #step (queue: IoQueue): Promise<void> {
    const step = this.#random.weigh(STEPS)
    if (step === 'flush') return void await this.#settle('Flush', () => queue.submit({ opcode: 0, nsid: 1 }))
    if (step === 'identify') return this.#identify()
    const run = this.#model.take(this.#random, this.#transferBlocksMax)
    try {
      if (step === 'read') await this.#read(queue, run)
      else if (step === 'compare') await this.#compare(queue, run)
      else await this.#write(queue, run, step === 'zeroes')
    } finally {
      this.#model.release(run)
    }
  }

  async #read (queue: IoQueue, run: BlockRun): Promise<void> {
    const buffer = this.#createBuffer(run)
    try {
      buffer.fill(0xee)
      const succeeded = await this.#settle(
        'Read',
        () => queue.submitTransfer(IoOpcode.READ, { ...run, nsid: 1, buffer })
      )
      const wrong = succeeded ? this.#model.read(run, buffer.read()) : undefined
      if (wrong !== undefined) throw new Error(`A read returned something else than was written: ${wrong}.`)
    } finally {
      buffer.free()
    }
  }

  async #write (queue: IoQueue, run: BlockRun, isZeroes: boolean): Promise<void> {
    const byteLength = run.blockCount * this.#model.blockBytes
    const buffer = this.#createBuffer(run)
    const bytes = isZeroes ? new Uint8Array(byteLength) : this.#chooseData(byteLength)
    this.#model.forget(run)
    try {
      buffer.write(bytes)
      const opcode = isZeroes ? IoOpcode.WRITE_ZEROES : IoOpcode.WRITE
      const transfer = { ...run, nsid: 1, buffer }
      if (await this.#settle('Write', () => queue.submitTransfer(opcode, transfer))) this.#model.written(run, bytes)
    } finally {
      buffer.free()
    }
  }

  async #compare (queue: IoQueue, run: BlockRun): Promise<void> {
    const known = this.#model.known(run)
    if (known === undefined) return this.#read(queue, run)
    const buffer = this.#createBuffer(run)
    try {
      buffer.write(known)
      await this.#settle('Compare', () => queue.submitTransfer(IoOpcode.COMPARE, { ...run, nsid: 1, buffer }))
    } finally {
      buffer.free()
    }
  }

  async #identify (): Promise<void> {
    const { driver } = this.#options
    const command = { opcode: AdminOpcode.IDENTIFY, nsid: 0, cdw10: Cns.CONTROLLER }
    let data: Uint8Array = new Uint8Array(0)
    const succeeded = await this.#settle('Identify', async () => {
      const [completion, bytes] = await driver.admin.submitWithData(command, PAGE_BYTES)
      data = bytes
      return completion
    })
    // CNTRLTYPE, and bytes at the end that are reserved for vendors and here zero: all of it was written.
    if (succeeded && (data[111] === 0xee || data[PAGE_BYTES - 1] === 0xee)) {
      throw new Error('Identify did not write all of its data.')
    }
  }

  /** True where the command succeeded. False where it failed as a command may whose memory was being taken away. */
  async #settle (what: string, submit: () => Promise<NvmeCompletion>): Promise<boolean> {
    const conditions = this.#conditions!
    const { disturbances, isCalm } = conditions
    const completion = await submit()
    const status = statusCode(completion)
    if (status === NvmeStatusCode.SUCCESS) return true
    const wasDisturbed = !isCalm || conditions.disturbances !== disturbances
    if (wasDisturbed && status === NvmeStatusCode.DATA_TRANSFER_ERROR) return false
    const when = wasDisturbed ? 'while memory went away' : 'although all of its memory was there'
    throw new Error(`${what} ended with status 0x${status.toString(16)} ${when}.`)
  }

  /** A part of a long pattern, which costs less than a pattern for each command. */
  #chooseData (byteLength: number): Uint8Array {
    const start = this.#random.below(PATTERN_BYTES - byteLength)
    return this.#pattern.subarray(start, start + byteLength)
  }

  /** Anywhere in its pages, and half of them in pages that do not follow one another. */
  #createBuffer ({ blockCount }: BlockRun): DataBuffer {
    const { memory } = this.#options
    const byteLength = blockCount * this.#model.blockBytes
    const offset = 4 * this.#random.below(PAGE_BYTES / 4)
    return this.#random.chance(0.5) ?
      DataBuffer.scattered(memory, byteLength, offset) :
      DataBuffer.contiguous(memory, byteLength, offset)
  }
}
