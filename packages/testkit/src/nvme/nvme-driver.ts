import type { GuestMemory } from '../guest/guest-memory.js'
import type { IrqRecorder } from '../guest/irq-recorder.js'
import { CommandAbandonedError } from '../guest/pending-commands.js'
import { PollLoop } from '../guest/poll-loop.js'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import { AdminCommands } from './admin-commands.js'
import { CompletionQueue } from './completion-queue.js'
import { ControllerRegisters } from './controller-registers.js'
import type { ControllerCapabilities } from './controller-registers.js'
import { TrapDoorbells } from './doorbells.js'
import type { Doorbells } from './doorbells.js'
import { IoQueue } from './io-queue.js'
import type { PrpShape } from './prp.js'
import { AdminOpcode, Cc, Cqe, Property, Sqe } from './layouts.js'
import { NvmeCommandError, statusCode } from './status.js'
import type { NvmeCompletion } from './status.js'
import { ShadowedDoorbells } from './shadowed-doorbells.js'
import { SubmissionQueue } from './submission-queue.js'

/** The eventfds that the driver gets its interrupts from. */
export interface NvmeInterrupts {
  readonly kind: 'intx' | 'msi' | 'msix'
  readonly recorder: IrqRecorder
}

/** How the driver works. */
export interface NvmeDriverOptions {
  readonly access: RegionAccess
  readonly memory: GuestMemory
  /** Region writes with a reply (`trap`, the default), without one (`posted`), or memory that the client mapped. */
  readonly doorbells?: 'trap' | 'posted' | Doorbells
  /** Without interrupts the driver looks at its completion queues while commands are under way. */
  readonly interrupts?: NvmeInterrupts
  /** Milliseconds that a command may take, 10,000 unless given; 0: for ever. */
  readonly commandTimeoutMs?: number
  /** Bytes of one access to a 64-bit register: 4 as Linux has it (the default), or 8. */
  readonly registerBytes?: 4 | 8
  /** How PRP lists are laid out where a command does not say. */
  readonly prpShape?: PrpShape
}

/** How the controller is enabled. */
export interface EnableOptions {
  /** Entries of the admin queues. */
  readonly adminDepth?: number
  /** Where the admin queues are. By default the driver allocates them once and keeps them. */
  readonly adminSubmissionIova?: number
  readonly adminCompletionIova?: number
  /** What CC is to be, in place of the usual. */
  readonly cc?: number
}

/** How an I/O queue pair is created. */
export interface QueuePairOptions {
  readonly id: number
  readonly depth: number
  /** The interrupt vector of its completion queue. By default it has none, and the driver looks by itself. */
  readonly vector?: number
  readonly submissionIova?: number
  readonly completionIova?: number
}

/** Where shadow doorbells are, and what uses them. */
export interface DoorbellBufferOptions {
  readonly shadowIova?: number
  readonly eventsIova?: number
  /** The admin queues use them too. */
  readonly forAdmin?: boolean
}

const ADMIN_DEPTH = 32
const PAGE_BYTES = 4096

/** An NVMe driver, as an operating system has one. It works on guest memory by IOVA and on registers by messages. */
export class NvmeDriver {
  readonly registers: ControllerRegisters
  readonly admin: AdminCommands
  /** The doorbells of the controller. */
  readonly doorbells: Doorbells
  /** How doorbells are rung: at the controller, or in buffers in memory. */
  readonly shadow: ShadowedDoorbells
  /** What the controller did that it must not: completions of nothing, for example. Tests expect it to be empty. */
  readonly anomalies: string[] = []
  readonly #options: NvmeDriverOptions
  readonly #completionQueues = new Map<number, CompletionQueue>()
  readonly #submissionQueues = new Map<number, SubmissionQueue>()
  #capabilities: ControllerCapabilities | undefined
  #adminPages: { submission: number, completion: number } | undefined
  #shadowPage: number | undefined
  #eventsPage: number | undefined
  readonly #polling = new PollLoop(() => this.#hasPolledWork, () => this.#reapPolled())

  constructor (options: NvmeDriverOptions) {
    this.#options = options
    this.registers = new ControllerRegisters(options.access, options.registerBytes)
    const doorbells = options.doorbells ?? 'trap'
    this.doorbells = typeof doorbells === 'object' ?
      doorbells :
      new TrapDoorbells(options.access, doorbells === 'posted')
    this.shadow = new ShadowedDoorbells(this.doorbells, options.memory)
    this.admin = new AdminCommands(() => this.#adminQueue(), options.memory)
    if (options.interrupts !== undefined) {
      options.interrupts.recorder.onInterrupt = vector => void this.#interrupt(vector)
    }
  }

  /** What CAP said when the controller was enabled. */
  get capabilities (): ControllerCapabilities {
    if (this.#capabilities === undefined) throw new Error('The controller was not enabled.')
    return this.#capabilities
  }

  /** How many commands are under way in all queues. */
  get pendingCount (): number {
    return [...this.#submissionQueues.values()].reduce((sum, queue) => sum + queue.pendingCount, 0)
  }

  /** Disables the controller if it is enabled, sets the admin queues up and enables it. */
  async enable (options: EnableOptions = {}): Promise<void> {
    this.#capabilities = await this.registers.capabilities()
    await this.disable()
    const { memory } = this.#options
    const depth = options.adminDepth ?? ADMIN_DEPTH
    this.#adminPages ??= {
      submission: options.adminSubmissionIova ?? memory.allocate(depth * Sqe.byteLength),
      completion: options.adminCompletionIova ?? memory.allocate(depth * Cqe.byteLength)
    }
    const { submission, completion } = this.#adminPages
    this.#addCompletionQueue(0, completion, depth, this.#options.interrupts === undefined ? undefined : 0)
    this.#addSubmissionQueue(0, submission, depth, 0)
    await this.registers.write32(Property.AQA, (depth - 1) | ((depth - 1) << 16))
    await this.registers.write64(Property.ASQ, submission)
    await this.registers.write64(Property.ACQ, completion)
    await this.registers.write32(Property.CC, options.cc ?? usualCc())
    await this.registers.waitReady(true, this.#readyTimeoutMs)
  }

  /** Clears CC.EN and waits. Commands under way are abandoned. */
  async disable (): Promise<void> {
    this.abandon('The controller was disabled.')
    const cc = await this.registers.read32(Property.CC)
    if (Cc.EN.isSet(cc)) await this.registers.write32(Property.CC, Cc.EN.set(cc, 0))
    await this.registers.waitReady(false, this.#readyTimeoutMs)
  }

  /** Deletes nothing, asks for a normal shutdown and waits for it. */
  async shutDown (): Promise<void> {
    await this.registers.shutDown()
  }

  /** Gives up every command and every queue: the controller was reset in a way of which the driver knows. */
  abandon (reason: string): void {
    for (const queue of this.#submissionQueues.values()) queue.abandon(new CommandAbandonedError(reason))
    this.#submissionQueues.clear()
    this.#completionQueues.clear()
    this.shadow.buffers = undefined
  }

  /** Creates a completion queue. Throws NvmeCommandError where the controller refuses. */
  async createCompletionQueue (id: number, depth: number, vector?: number, iova?: number): Promise<CompletionQueue> {
    const at = iova ?? this.#options.memory.allocate(depth * Cqe.byteLength)
    this.#options.memory.fill(at, depth * Cqe.byteLength, 0)
    const completion = await this.admin.createCompletionQueue({ id, iova: at, depth, vector })
    if (statusCode(completion) !== 0) throw new NvmeCommandError('Create I/O Completion Queue', completion)
    return this.#addCompletionQueue(id, at, depth, vector)
  }

  /** Creates a submission queue on a completion queue. Throws NvmeCommandError where the controller refuses. */
  async createSubmissionQueue (id: number, depth: number, cqid: number, iova?: number): Promise<IoQueue> {
    const at = iova ?? this.#options.memory.allocate(depth * Sqe.byteLength)
    const completion = await this.admin.createSubmissionQueue({ id, iova: at, depth, cqid })
    if (statusCode(completion) !== 0) throw new NvmeCommandError('Create I/O Submission Queue', completion)
    const { memory, prpShape } = this.#options
    return new IoQueue(this.#addSubmissionQueue(id, at, depth, cqid), memory, prpShape)
  }

  /** Creates a completion queue and a submission queue of the same number. */
  async createQueuePair (options: QueuePairOptions): Promise<IoQueue> {
    await this.createCompletionQueue(options.id, options.depth, options.vector, options.completionIova)
    return this.createSubmissionQueue(options.id, options.depth, options.id, options.submissionIova)
  }

  /** Deletes a submission queue. What is under way in it may still complete, with whatever status. */
  async deleteSubmissionQueue (id: number): Promise<void> {
    const completion = await this.admin.deleteSubmissionQueue(id)
    if (statusCode(completion) !== 0) throw new NvmeCommandError('Delete I/O Submission Queue', completion)
    this.#submissionQueues.get(id)?.abandon(new CommandAbandonedError('The submission queue was deleted.'))
    this.#submissionQueues.delete(id)
  }

  /** Deletes a completion queue. */
  async deleteCompletionQueue (id: number): Promise<void> {
    const completion = await this.admin.deleteCompletionQueue(id)
    if (statusCode(completion) !== 0) throw new NvmeCommandError('Delete I/O Completion Queue', completion)
    this.#completionQueues.delete(id)
  }

  /**
   * Gives the controller shadow doorbell buffers and uses them for the I/O queues, or for all. To be called while no
   * I/O command is under way. The next enable ends it. Throws NvmeCommandError where the controller refuses.
   */
  async configureDoorbellBuffers (options: DoorbellBufferOptions = {}): Promise<void> {
    const { memory } = this.#options
    const shadowIova = options.shadowIova ?? (this.#shadowPage ??= memory.allocate(PAGE_BYTES))
    const eventsIova = options.eventsIova ?? (this.#eventsPage ??= memory.allocate(PAGE_BYTES))
    for (const iova of [shadowIova, eventsIova]) memory.fill(iova, PAGE_BYTES, 0)
    const opcode = AdminOpcode.DOORBELL_BUFFER_CONFIG
    await this.admin.execute('Doorbell Buffer Config', { opcode, prp1: shadowIova, prp2: eventsIova })
    this.shadow.buffers = { shadowIova, eventsIova, forAdmin: options.forAdmin ?? false }
  }

  /** Looks at every completion queue now. Returns how many completions there were. */
  async reapAll (): Promise<number> {
    const queues = [...this.#completionQueues.values()]
    const counts = await Promise.all(queues.map(queue => this.#reap(queue)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  get #readyTimeoutMs (): number {
    return Math.max(1000, this.#capabilities?.readyTimeoutMs ?? 0)
  }

  #adminQueue (): SubmissionQueue {
    const queue = this.#submissionQueues.get(0)
    if (queue === undefined) throw new Error('The controller is not enabled.')
    return queue
  }

  #addCompletionQueue (id: number, iova: number, depth: number, vector: number | undefined): CompletionQueue {
    const { memory } = this.#options
    memory.fill(iova, depth * Cqe.byteLength, 0)
    const spec = { id, iova, depth, vector }
    const queue = new CompletionQueue(spec, memory, this.shadow, this.capabilities.doorbellStride)
    this.#completionQueues.set(id, queue)
    return queue
  }

  #addSubmissionQueue (id: number, iova: number, depth: number, cqid: number): SubmissionQueue {
    const completions = this.#completionQueues.get(cqid)
    if (completions === undefined) throw new Error(`There is no completion queue ${cqid}.`)
    const queue = new SubmissionQueue({ id, iova, depth, completions }, this.#options.memory, this.shadow, {
      stride: this.capabilities.doorbellStride,
      timeoutMs: this.#options.commandTimeoutMs ?? 10_000,
      onSubmit: () => this.#polling.start()
    })
    this.#submissionQueues.set(id, queue)
    return queue
  }

  async #reap (queue: CompletionQueue): Promise<number> {
    try {
      return await queue.reap(completion => this.#complete(completion))
    } catch (error) {
      // The connection went with the doorbell. Whoever waits for a command is told there.
      this.anomalies.push(String(error))
      return 0
    }
  }

  #complete (completion: NvmeCompletion): void {
    if (this.#submissionQueues.get(completion.sqid)?.complete(completion) === true) return
    this.anomalies.push(
      `A completion of command ${completion.cid} of queue ${completion.sqid}, which is not under way.`
    )
  }

  async #interrupt (vector: number): Promise<void> {
    const { interrupts } = this.#options
    if (interrupts?.kind !== 'intx') {
      const queues = [...this.#completionQueues.values()].filter(queue => queue.vector === vector)
      await Promise.all(queues.map(queue => this.#reap(queue)))
      return
    }
    await this.reapAll()
    await interrupts.recorder.unmask().catch(error => this.anomalies.push(String(error)))
  }

  get #hasPolledWork (): boolean {
    return [...this.#submissionQueues.values()].some(queue =>
      queue.completions.vector === undefined && queue.pendingCount > 0
    )
  }

  async #reapPolled (): Promise<number> {
    const queues = [...this.#completionQueues.values()].filter(queue => queue.vector === undefined)
    const counts = await Promise.all(queues.map(queue => this.#reap(queue)))
    return counts.reduce((sum, count) => sum + count, 0)
  }
}

function usualCc (): number {
  return Cc.IOCQES.set(Cc.IOSQES.set(Cc.EN.set(0, 1), 6), 4)
}
