import { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import type { NvmeCommand } from './command.js'
import { decodeController, decodeNamespace } from './identify.js'
import type { ControllerIdentity, NamespaceIdentity } from './identify.js'
import { AdminOpcode, Cns, FeatureId } from './layouts.js'
import { buildPrps } from './prp.js'
import { NvmeCommandError, statusCode } from './status.js'
import type { NvmeCompletion } from './status.js'
import type { SubmissionQueue, SubmitOptions } from './submission-queue.js'

const IDENTIFY_BYTES = 4096

/** How a log page is asked for. [NVMe-Base] "Get Log Page command". */
export interface LogPageRequest {
  readonly lid: number
  /** How much of it, a multiple of 4. */
  readonly byteLength: number
  readonly offset?: number
  readonly nsid?: number
  /** Retain Asynchronous Event. */
  readonly retain?: boolean
  /** Log Specific Parameter. */
  readonly lsp?: number
}

/** How an I/O queue is to be created. [NVMe-Base] "Create I/O Completion Queue command" and its sibling. */
export interface IoQueueRequest {
  readonly id: number
  readonly iova: number
  readonly depth: number
  /** Physically Contiguous; true unless given. */
  readonly contiguous?: boolean
}

/**
 * Admin commands. Those that return data throw {@link NvmeCommandError} for any status but success; `submit` returns
 * the completion, whatever its status.
 */
export class AdminCommands {
  readonly #queue: () => SubmissionQueue
  readonly #memory: GuestMemory

  constructor (queue: () => SubmissionQueue, memory: GuestMemory) {
    this.#queue = queue
    this.#memory = memory
  }

  /** Submits a command and resolves with its completion, whatever its status. */
  submit (command: NvmeCommand, options: SubmitOptions = {}): Promise<NvmeCompletion> {
    return this.#queue().submit(command, options)
  }

  /** Submits a command and throws NvmeCommandError unless it succeeds. */
  async execute (what: string, command: NvmeCommand): Promise<NvmeCompletion> {
    const completion = await this.submit(command)
    if (statusCode(completion) !== 0) throw new NvmeCommandError(what, completion)
    return completion
  }

  /** Submits a command with a buffer for what it returns, and resolves with completion and data. */
  async submitWithData (command: NvmeCommand, byteLength: number): Promise<[NvmeCompletion, Uint8Array]> {
    const buffer = DataBuffer.contiguous(this.#memory, byteLength)
    buffer.fill(0xee)
    const prps = buildPrps(this.#memory, buffer)
    try {
      const completion = await this.submit({ ...command, prp1: prps.prp1, prp2: prps.prp2 })
      return [completion, buffer.read()]
    } finally {
      for (const page of prps.lists) this.#memory.free(page)
      buffer.free()
    }
  }

  /** Submits a command with data for the controller. */
  async submitData (command: NvmeCommand, data: Uint8Array): Promise<NvmeCompletion> {
    const buffer = DataBuffer.contiguous(this.#memory, data.length)
    buffer.write(data)
    try {
      return await this.submit({ ...command, prp1: buffer.iova, prp2: buffer.pages[1] ?? 0 })
    } finally {
      buffer.free()
    }
  }

  /** Identify, raw. */
  async identify (cns: number, nsid = 0): Promise<Uint8Array> {
    const command = { opcode: AdminOpcode.IDENTIFY, nsid, cdw10: cns }
    const [completion, data] = await this.submitWithData(command, IDENTIFY_BYTES)
    if (statusCode(completion) !== 0) throw new NvmeCommandError(`Identify ${cns} of ${nsid}`, completion)
    return data
  }

  async identifyController (): Promise<ControllerIdentity> {
    return decodeController(await this.identify(Cns.CONTROLLER))
  }

  async identifyNamespace (nsid: number): Promise<NamespaceIdentity> {
    return decodeNamespace(await this.identify(Cns.NAMESPACE, nsid))
  }

  /** The active namespaces above `nsid`. */
  async activeNamespaces (nsid = 0): Promise<number[]> {
    const data = await this.identify(Cns.ACTIVE_NAMESPACES, nsid)
    const list = [...new Uint32Array(data.buffer, data.byteOffset, IDENTIFY_BYTES / 4)]
    return list.slice(0, list.indexOf(0))
  }

  /** Get Features. Resolves with dword 0. `select`: 0 current, 1 default, 2 saved, 3 capabilities. */
  async getFeature (fid: number, options: { select?: number, cdw11?: number, nsid?: number } = {}): Promise<number> {
    const cdw10 = fid | ((options.select ?? 0) << 8)
    const command = { opcode: AdminOpcode.GET_FEATURES, nsid: options.nsid ?? 0, cdw10, cdw11: options.cdw11 ?? 0 }
    return (await this.execute(`Get Features ${fid}`, command)).dw0
  }

  /** Set Features. Resolves with dword 0. */
  async setFeature (fid: number, cdw11: number, nsid = 0): Promise<number> {
    const command = { opcode: AdminOpcode.SET_FEATURES, nsid, cdw10: fid, cdw11 }
    return (await this.execute(`Set Features ${fid}`, command)).dw0
  }

  /** Number of Queues. Resolves with how many of either kind the controller grants. */
  async setQueueCount (count: number): Promise<{ submission: number, completion: number }> {
    const dw0 = await this.setFeature(FeatureId.NUMBER_OF_QUEUES, (count - 1) | ((count - 1) << 16))
    return { submission: (dw0 & 0xffff) + 1, completion: (dw0 >>> 16) + 1 }
  }

  /** Get Log Page, whatever its status. */
  async submitGetLogPage (request: LogPageRequest): Promise<[NvmeCompletion, Uint8Array]> {
    const dwords = request.byteLength / 4 - 1
    const offset = request.offset ?? 0
    const rae = request.retain === true ? 1 << 15 : 0
    const command = {
      opcode: AdminOpcode.GET_LOG_PAGE,
      nsid: request.nsid ?? 0xffff_ffff,
      cdw10: (request.lid | ((request.lsp ?? 0) << 8) | rae | ((dwords & 0xffff) << 16)) >>> 0,
      cdw11: dwords >>> 16,
      cdw12: offset >>> 0,
      cdw13: Math.floor(offset / 0x1_0000_0000)
    }
    return this.submitWithData(command, request.byteLength)
  }

  async getLogPage (request: LogPageRequest): Promise<Uint8Array> {
    const [completion, data] = await this.submitGetLogPage(request)
    if (statusCode(completion) !== 0) throw new NvmeCommandError(`Get Log Page ${request.lid}`, completion)
    return data
  }

  /** Create I/O Completion Queue. Without a vector its interrupts stay off. */
  createCompletionQueue (request: IoQueueRequest & { readonly vector?: number | undefined }): Promise<NvmeCompletion> {
    const pc = request.contiguous === false ? 0 : 1
    const interrupts = request.vector === undefined ? 0 : 2 | (request.vector << 16)
    return this.submit({
      opcode: AdminOpcode.CREATE_IO_CQ,
      prp1: request.iova,
      cdw10: (request.id | ((request.depth - 1) << 16)) >>> 0,
      cdw11: (pc | interrupts) >>> 0
    })
  }

  /** Create I/O Submission Queue. */
  createSubmissionQueue (request: IoQueueRequest & { readonly cqid: number }): Promise<NvmeCompletion> {
    const pc = request.contiguous === false ? 0 : 1
    return this.submit({
      opcode: AdminOpcode.CREATE_IO_SQ,
      prp1: request.iova,
      cdw10: (request.id | ((request.depth - 1) << 16)) >>> 0,
      cdw11: (pc | (request.cqid << 16)) >>> 0
    })
  }

  deleteSubmissionQueue (id: number): Promise<NvmeCompletion> {
    return this.submit({ opcode: AdminOpcode.DELETE_IO_SQ, cdw10: id })
  }

  deleteCompletionQueue (id: number): Promise<NvmeCompletion> {
    return this.submit({ opcode: AdminOpcode.DELETE_IO_CQ, cdw10: id })
  }

  /** Asynchronous Event Request: completes when there is an event, however long that takes. */
  asyncEvent (): Promise<NvmeCompletion> {
    return this.submit({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST }, { timeoutMs: 0 })
  }

  abort (sqid: number, cid: number): Promise<NvmeCompletion> {
    return this.submit({ opcode: AdminOpcode.ABORT, cdw10: (sqid | (cid << 16)) >>> 0 })
  }
}
