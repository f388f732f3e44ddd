import { LatencyHistogram } from './latency-histogram.js'
import { PolledNvmeQueue } from './polled-nvme-queue.js'
import type { PolledLoadOptions } from './polled-nvme-queue.js'
import type { PolledQueue } from './polled-queue.js'
import type { PollingInitiator } from './polling-initiator.js'

/** How often an idle loop looks whether the controller has stopped to answer. */
const SPINS_PER_CLOCK = 4096
const STALL_MS = 10_000

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
 * and submits in batches. It takes a core of its own while it runs.
 */
export class PolledLoad {
  readonly #queue: PolledQueue
  /** Commands that are free, as a stack. */
  readonly #free: Int32Array
  #freeCount: number
  /** When a command of the sample was submitted, by its number; 0 for others. */
  readonly #submittedAt: Float64Array
  #seed = 1
  #next = 0
  #untilSample = 0

  /** The queue must be empty, and is nobody else's. */
  constructor (queue: PolledQueue) {
    const { depth } = queue
    this.#queue = queue
    this.#free = Int32Array.from({ length: depth }, (_, index) => depth - 1 - index)
    this.#freeCount = depth
    this.#submittedAt = new Float64Array(depth)
  }

  /** A load on a queue pair that it creates. Throws NvmeCommandError where the controller refuses. */
  static async create (initiator: PollingInitiator, options: PolledLoadOptions): Promise<PolledLoad> {
    return new PolledLoad(await PolledNvmeQueue.create(initiator, options))
  }

  /**
   * Runs for a while and returns when the last command is back. Nothing else happens in this process meanwhile.
   *
   * @throws When the controller has not answered for ten seconds.
   */
  run (run: PolledRun): PolledRunResult {
    const queue = this.#queue
    const latencies = new LatencyHistogram()
    const failuresBefore = queue.failureCount
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
    while (this.#freeCount < queue.depth) commands += this.#await(latencies)
    const failures = queue.failureCount - failuresBefore
    return { commands, failures, durationMs: performance.now() - startedAtMs, latencies }
  }

  /** Sets every byte of the disk that is used to a value, in order: what was never written may cost less to read. */
  fill (value: number): void {
    this.#queue.fillBuffers(value)
    this.#next = 0
    for (let missing = this.#queue.transferCount; missing > 0;) {
      missing -= this.#submit({ order: 'sequential', readPercent: 0 }, missing)
      this.#await(undefined)
    }
    while (this.#freeCount < this.#queue.depth) this.#await(undefined)
  }

  /** Gives the queue back. */
  async close (): Promise<void> {
    await this.#queue.close()
  }

  /** Submits as many commands as are free, all at once. */
  #submit (run: Pick<PolledRun, 'order' | 'readPercent'>, countMax = this.#freeCount): number {
    const count = Math.min(this.#freeCount, countMax)
    if (count === 0) return 0
    const queue = this.#queue
    const { transferCount } = queue
    const isRandom = run.order === 'random'
    for (let index = 0; index < count; index++) {
      const command = this.#free[--this.#freeCount]!
      const random = this.#random()
      const transfer = isRandom ? Math.floor(random * transferCount) : this.#next
      if (++this.#next === transferCount) this.#next = 0
      const isRead = run.readPercent === 100 || (random * 997) % 1 * 100 < run.readPercent
      queue.add(command, isRead, transfer)
      this.#submittedAt[command] = this.#isSampled() ? performance.now() : 0
    }
    queue.submit()
    return count
  }

  /** Spins until a command is back, and takes all that are. Returns how many there were. */
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
    const queue = this.#queue
    let count = 0
    for (let command = queue.take(); command >= 0; command = queue.take()) {
      const submittedAt = this.#submittedAt[command]!
      if (submittedAt !== 0 && latencies !== undefined) latencies.add(performance.now() - submittedAt)
      this.#free[this.#freeCount++] = command
      count++
    }
    if (count > 0) queue.taken()
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
