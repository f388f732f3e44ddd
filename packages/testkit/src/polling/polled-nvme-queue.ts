import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestFile } from '../guest/guest-file.js'
import { doorbellOffset } from '../nvme/doorbells.js'
import { Cqe, IoOpcode, Sqe } from '../nvme/layouts.js'
import { buildPrps } from '../nvme/prp.js'
import { NvmeCommandError, statusCode } from '../nvme/status.js'
import type { PolledQueue } from './polled-queue.js'
import type { PollingInitiator } from './polling-initiator.js'

/** The phase tag in the last word of a completion, and the status behind it. */
const PHASE = 1 << 16
const STATUS_SHIFT = 17
const CID_MASK = 0xffff
const NSID = 1

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

interface Ring {
  readonly file: GuestFile
  readonly position: number
}

/** A queue pair whose completions are found by their phase tag. The numbers of commands are their identifiers. */
export class PolledNvmeQueue implements PolledQueue {
  readonly depth: number
  readonly transferCount: number
  failureCount = 0
  readonly #initiator: PollingInitiator
  readonly #options: PolledLoadOptions
  /** Entries of both rings: so many that a slot is free whenever a command identifier is. */
  readonly #size: number
  readonly #blocks: number
  readonly #submissions: Ring
  readonly #completions: Ring
  readonly #tailDoorbell: number
  readonly #headDoorbell: number
  readonly #prp1: Float64Array
  readonly #prp2: Float64Array
  #tail = 0
  #head = 0
  #phase = PHASE

  private constructor (initiator: PollingInitiator, options: PolledLoadOptions, rings: readonly [number, number]) {
    const { queueDepth, queueId, transferBytes } = options
    const { memory, driver } = initiator
    this.#initiator = initiator
    this.#options = options
    this.depth = queueDepth
    this.transferCount = Math.floor(options.diskBytes / transferBytes)
    this.#size = ringSize(queueDepth)
    this.#blocks = transferBytes / options.blockBytes
    this.#submissions = memory.locate(rings[0], this.#size * Sqe.byteLength)
    this.#completions = memory.locate(rings[1], this.#size * Cqe.byteLength)
    this.#tailDoorbell = doorbellOffset('sq', queueId, driver.capabilities.doorbellStride)
    this.#headDoorbell = doorbellOffset('cq', queueId, driver.capabilities.doorbellStride)
    this.#prp1 = new Float64Array(queueDepth)
    this.#prp2 = new Float64Array(queueDepth)
    this.#prepare()
  }

  /** Creates the queue pair and the buffers of an enabled controller. Throws NvmeCommandError where it refuses. */
  static async create (initiator: PollingInitiator, options: PolledLoadOptions): Promise<PolledNvmeQueue> {
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
    return new PolledNvmeQueue(initiator, options, [submissionIova, completionIova])
  }

  add (command: number, isRead: boolean, transfer: number): void {
    const { file: { view }, position } = this.#submissions
    const base = position + this.#tail * Sqe.byteLength
    Sqe.opcode.set(view, base, isRead ? IoOpcode.READ : IoOpcode.WRITE)
    Sqe.cid.set(view, base, command)
    Sqe.prp1.set(view, base, this.#prp1[command]!)
    Sqe.prp2.set(view, base, this.#prp2[command]!)
    Sqe.cdw10.set(view, base, transfer * this.#blocks)
    if (++this.#tail === this.#size) this.#tail = 0
  }

  submit (): void {
    this.#initiator.doorbells.ring(this.#tailDoorbell, this.#tail)
  }

  take (): number {
    const { file: { words }, position } = this.#completions
    const word = Atomics.load(words, (position + 12 + this.#head * Cqe.byteLength) >>> 2)
    if (((word ^ this.#phase) & PHASE) !== 0) return -1
    if (word >>> STATUS_SHIFT !== 0) this.failureCount++
    if (++this.#head === this.#size) {
      this.#head = 0
      this.#phase ^= PHASE
    }
    return word & CID_MASK
  }

  taken (): void {
    this.#initiator.doorbells.ring(this.#headDoorbell, this.#head)
  }

  fillBuffers (value: number): void {
    const { memory } = this.#initiator
    for (const iova of this.#prp1) memory.fill(iova, this.#options.transferBytes, value)
  }

  /** Deletes the queue pair. The buffers stay where they are. */
  async close (): Promise<void> {
    const { admin } = this.#initiator.driver
    await admin.deleteSubmissionQueue(this.#options.queueId)
    await admin.deleteCompletionQueue(this.#options.queueId)
  }

  #prepare (): void {
    const { memory } = this.#initiator
    for (let cid = 0; cid < this.depth; cid++) {
      const { prp1, prp2 } = buildPrps(memory, DataBuffer.contiguous(memory, this.#options.transferBytes))
      this.#prp1[cid] = prp1
      this.#prp2[cid] = prp2
    }
    const { file: { view }, position } = this.#submissions
    for (let slot = 0; slot < this.#size; slot++) {
      Sqe.nsid.set(view, position + slot * Sqe.byteLength, NSID)
      Sqe.cdw12.set(view, position + slot * Sqe.byteLength, this.#blocks - 1)
    }
  }
}

function ringSize (queueDepth: number): number {
  return Math.max(16, 2 * queueDepth)
}
