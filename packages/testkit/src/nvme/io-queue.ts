import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import type { NvmeCommand } from './command.js'
import type { CompletionQueue } from './completion-queue.js'
import { DsmRange, IoOpcode } from './layouts.js'
import { buildPrps } from './prp.js'
import type { PrpShape } from './prp.js'
import { NvmeCommandError, statusCode } from './status.js'
import type { NvmeCompletion } from './status.js'
import type { SubmissionQueue, SubmitOptions } from './submission-queue.js'

/** A range of logical blocks. */
export interface BlockRange {
  readonly nsid: number
  readonly slba: number
  readonly blockCount: number
}

/** A transfer between blocks and a buffer. */
export interface Transfer extends BlockRange {
  readonly buffer: DataBuffer
  readonly shape?: PrpShape
  /** Force Unit Access. */
  readonly fua?: boolean
}

/** I/O commands on one submission queue. All but `submit…` throw NvmeCommandError for any status but success. */
export class IoQueue {
  readonly submission: SubmissionQueue
  readonly #memory: GuestMemory
  readonly #shape: PrpShape

  constructor (submission: SubmissionQueue, memory: GuestMemory, shape: PrpShape = {}) {
    this.#shape = shape
    this.submission = submission
    this.#memory = memory
  }

  get id (): number {
    return this.submission.id
  }

  get completions (): CompletionQueue {
    return this.submission.completions
  }

  /** Submits a command and resolves with its completion, whatever its status. */
  submit (command: NvmeCommand, options: SubmitOptions = {}): Promise<NvmeCompletion> {
    return this.submission.submit(command, options)
  }

  /** Read, Write or Compare, whatever its status. */
  async submitTransfer (opcode: number, transfer: Transfer): Promise<NvmeCompletion> {
    const prps = buildPrps(this.#memory, transfer.buffer, transfer.shape ?? this.#shape)
    const fua = transfer.fua === true ? 1 << 30 : 0
    const cdw12 = ((transfer.blockCount - 1) & 0xffff) | fua
    try {
      return await this.submit({ ...rangeOf(transfer), opcode, prp1: prps.prp1, prp2: prps.prp2, cdw12: cdw12 >>> 0 })
    } finally {
      for (const page of prps.lists) this.#memory.free(page)
    }
  }

  async read (transfer: Transfer): Promise<void> {
    check('Read', await this.submitTransfer(IoOpcode.READ, transfer))
  }

  async write (transfer: Transfer): Promise<void> {
    check('Write', await this.submitTransfer(IoOpcode.WRITE, transfer))
  }

  async compare (transfer: Transfer): Promise<void> {
    check('Compare', await this.submitTransfer(IoOpcode.COMPARE, transfer))
  }

  async flush (nsid: number): Promise<void> {
    check('Flush', await this.submit({ opcode: IoOpcode.FLUSH, nsid }))
  }

  async writeZeroes (range: BlockRange, options: { readonly deallocate?: boolean } = {}): Promise<void> {
    const deac = options.deallocate === true ? 1 << 25 : 0
    const cdw12 = (range.blockCount - 1) | deac
    check('Write Zeroes', await this.submit({ ...rangeOf(range), opcode: IoOpcode.WRITE_ZEROES, cdw12 }))
  }

  /** Dataset Management with the Deallocate attribute. */
  async deallocate (nsid: number, ranges: readonly { slba: number, blockCount: number }[]): Promise<void> {
    const bytes = new Uint8Array(ranges.length * DsmRange.byteLength)
    const view = new DataView(bytes.buffer)
    ranges.forEach(({ slba, blockCount }, index) => {
      DsmRange.nlb.set(view, index * DsmRange.byteLength, blockCount)
      DsmRange.slba.set(view, index * DsmRange.byteLength, slba)
    })
    const buffer = DataBuffer.contiguous(this.#memory, bytes.length)
    buffer.write(bytes)
    try {
      const command = {
        opcode: IoOpcode.DATASET_MANAGEMENT,
        nsid,
        prp1: buffer.iova,
        cdw10: ranges.length - 1,
        cdw11: 4
      }
      check('Dataset Management', await this.submit(command))
    } finally {
      buffer.free()
    }
  }

  /** Writes bytes from a buffer of its own. */
  async writeBytes (nsid: number, slba: number, blockBytes: number, bytes: Uint8Array): Promise<void> {
    const buffer = DataBuffer.contiguous(this.#memory, bytes.length)
    buffer.write(bytes)
    try {
      await this.write({ nsid, slba, blockCount: bytes.length / blockBytes, buffer })
    } finally {
      buffer.free()
    }
  }

  /** Reads bytes through a buffer of its own. */
  async readBytes (nsid: number, slba: number, blockBytes: number, byteLength: number): Promise<Uint8Array> {
    const buffer = DataBuffer.contiguous(this.#memory, byteLength)
    try {
      await this.read({ nsid, slba, blockCount: byteLength / blockBytes, buffer })
      return buffer.read()
    } finally {
      buffer.free()
    }
  }
}

function rangeOf ({ nsid, slba }: BlockRange): { nsid: number, cdw10: number, cdw11: number } {
  return { nsid, cdw10: slba >>> 0, cdw11: Math.floor(slba / 0x1_0000_0000) }
}

function check (what: string, completion: NvmeCompletion): void {
  if (statusCode(completion) !== 0) throw new NvmeCommandError(what, completion)
}
