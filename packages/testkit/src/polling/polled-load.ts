import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestFile } from '../guest/guest-file.js'
import { doorbellOffset } from '../nvme/doorbells.js'
import { Cqe, IoOpcode, Sqe } from '../nvme/layouts.js'
import { buildPrps } from '../nvme/prp.js'
import { NvmeCommandError, statusCode } from '../nvme/status.js'
import { LatencyHistogram } from './latency-histogram.js'
import type { PollingInitiator } from './polling-initiator.js'

/** The phase tag in the last word of a completion, and the status behind it. */
const PHASE = 1 << 16
const STATUS_SHIFT = 17
const CID_MASK = 0xffff
const NSID = 1
/** How often an idle loop looks whether the controller has stopped to answer. */
const SPINS_PER_CLOCK = 4096
const STALL_MS = 10_000

/** The queue of a load and what its commands transfer. */
export interface PolledLoadOptions {
  /** The queue pair, from 1 on. */
  readonly queueId: number
  readonly queueDepth: number
  /** Bytes of a command, a multiple of the block. */
  readonly transferBytes: number
  /** Of namespace 1, in bytes. */
  readonly blockBytes: number
  /** How much of namespace 1 is used, from its start on, in bytes. */
  readonly diskBytes: number
}

/** What a run consists of. */
export interface PolledRun {
  readonly order: 'random' | 'sequential'
  /** How many of a hundred commands are reads; the others write. */
  readonly readPercent: number
  readonly durationMs: number
}

/** What a run came to. */
export interface PolledRunResult {
  readonly commands: number
  /** Commands that ended with another status than success. */
  readonly failures: number
  readonly durationMs: number
  /** From the doorbell to the completion being seen, of a sample of the commands. */
  readonly latencies: LatencyHistogram
}

/**
 * Keeps one queue full at the least possible cost: it never returns to the event loop, allocates nothing for a command,
 * submits in batches and finds completions by their phase tag. It takes a core of its own while it runs.
 */
export class PolledLoad {
  readonly #initiator: PollingInitiator
  readonly #options: PolledLoadOptions
  /** Entries of both rings: so many that a slot is free whenever a command identifier is. */
  readonly #size: number
  readonly #submissions: { readonly file: GuestFile, readonly position: number }
  readonly #completions: { readonly file: GuestFile, readonly position: number }
  readonly #tailDoorbell: number
  readonly #headDoorbell: number
  readonly #prp1: Float64Array
  readonly #prp2: Float64Array
  /** Command identifiers that are free, as a stack; each has a buffer. */
  readonly #free: Int32Array
  #freeCount: number
  /** When a command of the sample was submitted, by identifier; 0 for others. */
  readonly #submittedAt: Float64Array
  readonly #transfers: number
  #tail = 0
  #head = 0
  #phase = PHASE
  #seed = 1
  #next = 0
  #failures = 0
  #untilSample = 0

  private constructor (initiator: PollingInitiator, options: PolledLoadOptions, rings: readonly [number, number]) {
    const { queueDepth, queueId } = options
    const { memory, driver } = initiator
    this.#initiator = initiator
    this.#options = options
    this.#size = ringSize(queueDepth)
    this.#submissions = memory.locate(rings[0], this.#size * Sqe.byteLength)
    this.#completions = memory.locate(rings[1], this.#size * Cqe.byteLength)
    this.#tailDoorbell = doorbellOffset('sq', queueId, driver.capabilities.doorbellStride)
    this.#headDoorbell = doorbellOffset('cq', queueId, driver.capabilities.doorbellStride)
    this.#prp1 = new Float64Array(queueDepth)
    this.#prp2 = new Float64Array(queueDepth)
    this.#free = Int32Array.from({ length: queueDepth }, (_, index) => queueDepth - 1 - index)
    this.#freeCount = queueDepth
    this.#submittedAt = new Float64Array(queueDepth)
    this.#transfers = Math.floor(options.diskBytes / options.transferBytes)
    this.#prepare()
  }

  /** Creates the queue pair and the buffers of an enabled controller. Throws NvmeCommandError where it refuses. */
  static async create (initiator: PollingInitiator, options: PolledLoadOptions): Promise<PolledLoad> {
    const { memory, driver: { admin } } = initiator
    const { queueId: id } = options
    const depth = ringSize(options.queueDepth)
    const submissionIova = memory.allocate(depth * Sqe.byteLength)
    const completionIova = memory.allocate(depth * Cqe.byteLength)
    memory.fill(completionIova, depth * Cqe.byteLength, 0)
    const completions = await admin.createCompletionQueue({ id, iova: completionIova, depth })
    if (statusCode(completions) !== 0) throw new NvmeCommandError('Create I/O Completion Queue', completions)
    const submissions = await admin.createSubmissionQueue({ id, iova: submissionIova, depth, cqid: id })
    if (statusCode(submissions) !== 0) throw new NvmeCommandError('Create I/O Submission Queue', submissions)
    return new PolledLoad(initiator, options, [submissionIova, completionIova])
  }

  /**
   * Runs for a while and returns when the last command is back. Nothing else happens in this process meanwhile.
   *
   * @throws When the controller has not answered for ten seconds.
   */
  run (run: PolledRun): PolledRunResult {
    const latencies = new LatencyHistogram()
    this.#failures = 0
    const startedAtMs = performance.now()
    const endsAtMs = startedAtMs + run.durationMs
    let commands = 0
    let nowMs = startedAtMs
    while (nowMs < endsAtMs) {
      for (let round = 0; round < 64; round++) {
        this.#submit(run)
        commands += this.#await(latencies)
      }
      nowMs = performance.now()
    }
    while (this.#freeCount < this.#options.queueDepth) commands += this.#await(latencies)
    return { commands, failures: this.#failures, durationMs: performance.now() - startedAtMs, latencies }
  }

  /** Sets every byte of the disk that is used to a value, in order: what was never written may cost less to read. */
  fill (value: number): void {
    const { memory } = this.#initiator
    for (const iova of this.#prp1) memory.fill(iova, this.#options.transferBytes, value)
    this.#next = 0
    for (let missing = this.#transfers; missing > 0;) {
      missing -= this.#submit({ order: 'sequential', readPercent: 0 }, missing)
      this.#await(undefined)
    }
    while (this.#freeCount < this.#options.queueDepth) this.#await(undefined)
  }

  /** Deletes the queue pair. The buffers stay where they are. */
  async close (): Promise<void> {
    const { admin } = this.#initiator.driver
    await admin.deleteSubmissionQueue(this.#options.queueId)
    await admin.deleteCompletionQueue(this.#options.queueId)
  }

  #prepare (): void {
    const { memory } = this.#initiator
    const { queueDepth, transferBytes, blockBytes } = this.#options
    for (let cid = 0; cid < queueDepth; cid++) {
      const { prp1, prp2 } = buildPrps(memory, DataBuffer.contiguous(memory, transferBytes))
      this.#prp1[cid] = prp1
      this.#prp2[cid] = prp2
    }
    const { file: { view }, position } = this.#submissions
    for (let slot = 0; slot < this.#size; slot++) {
      Sqe.nsid.set(view, position + slot * Sqe.byteLength, NSID)
      Sqe.cdw12.set(view, position + slot * Sqe.byteLength, transferBytes / blockBytes - 1)
    }
  }

  /** Submits as many commands as are free, and rings once. */
  #submit (run: Pick<PolledRun, 'order' | 'readPercent'>, countMax = this.#freeCount): number {
    const count = Math.min(this.#freeCount, countMax)
    if (count === 0) return 0
    const { file: { view }, position } = this.#submissions
    const blocks = this.#options.transferBytes / this.#options.blockBytes
    const isRandom = run.order === 'random'
    let tail = this.#tail
    for (let index = 0; index < count; index++) {
      const cid = this.#free[--this.#freeCount]!
      const base = position + tail * Sqe.byteLength
      const random = this.#random()
      const transfer = isRandom ? Math.floor(random * this.#transfers) : this.#next
      if (++this.#next === this.#transfers) this.#next = 0
      const isRead = run.readPercent === 100 || (random * 997) % 1 * 100 < run.readPercent
      Sqe.opcode.set(view, base, isRead ? IoOpcode.READ : IoOpcode.WRITE)
      Sqe.cid.set(view, base, cid)
      Sqe.prp1.set(view, base, this.#prp1[cid]!)
      Sqe.prp2.set(view, base, this.#prp2[cid]!)
      Sqe.cdw10.set(view, base, transfer * blocks)
      this.#submittedAt[cid] = this.#isSampled() ? performance.now() : 0
      if (++tail === this.#size) tail = 0
    }
    this.#tail = tail
    this.#initiator.doorbells.ring(this.#tailDoorbell, tail)
    return count
  }

  /** Spins until there is a completion, takes all there are, and rings once. Returns how many there were. */
  #await (latencies: LatencyHistogram | undefined): number {
    let spins = 0
    let waitingSinceMs = 0
    for (;;) {
      const count = this.#reap(latencies)
      if (count > 0) return count
      if (++spins % SPINS_PER_CLOCK !== 0) continue
      const nowMs = performance.now()
      if (waitingSinceMs === 0) waitingSinceMs = nowMs
      else if (nowMs - waitingSinceMs > STALL_MS) throw new Error(`No command completed within ${STALL_MS} ms.`)
    }
  }

  #reap (latencies: LatencyHistogram | undefined): number {
    const { file: { words }, position } = this.#completions
    const first = (position + 12) >>> 2
    let count = 0
    for (;;) {
      const word = Atomics.load(words, first + this.#head * (Cqe.byteLength / 4))
      if (((word ^ this.#phase) & PHASE) !== 0) break
      const cid = word & CID_MASK
      if (word >>> STATUS_SHIFT !== 0) this.#failures++
      const submittedAt = this.#submittedAt[cid]!
      if (submittedAt !== 0 && latencies !== undefined) latencies.add(performance.now() - submittedAt)
      this.#free[this.#freeCount++] = cid
      count++
      if (++this.#head === this.#size) {
        this.#head = 0
        this.#phase ^= PHASE
      }
    }
    if (count > 0) this.#initiator.doorbells.ring(this.#headDoorbell, this.#head)
    return count
  }

  /** A clock costs more than the rest of what is done for a command. So only one of some is timed. */
  #isSampled (): boolean {
    if (this.#untilSample-- > 0) return false
    // Changes from sample to sample, so that it never falls into step with the batches.
    this.#untilSample = 7 + (this.#seed & 7)
    return true
  }

  /** From 0 to below 1. */
  #random (): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0
    return this.#seed / 0x1_0000_0000
  }
}

function ringSize (queueDepth: number): number {
  return Math.max(16, 2 * queueDepth)
}
