import type { GuestMemory } from '../guest/guest-memory.js'
import { encodeCommand } from './command.js'
import type { NvmeCommand } from './command.js'
import type { CompletionQueue } from './completion-queue.js'
import type { Doorbells } from './doorbells.js'
import { doorbellOffset } from './doorbells.js'
import { Sqe } from './layouts.js'
import type { NvmeCompletion } from './status.js'

/** What a submission queue is made of. */
export interface SubmissionQueueSpec {
  readonly id: number
  readonly iova: number
  readonly depth: number
  readonly completions: CompletionQueue
}

/** The controller was reset, or the queue deleted, before a command completed. */
export class CommandAbandonedError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'CommandAbandonedError'
  }
}

/** How a command is submitted. */
export interface SubmitOptions {
  /** The command identifier, for tests of conflicts. By default the next that is free. */
  readonly cid?: number
  /** Milliseconds until the completion must have come; 0: for ever. */
  readonly timeoutMs?: number
}

interface Pending {
  readonly resolve: (completion: NvmeCompletion) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout | undefined
}

/** The driver's side of a submission queue, with the commands that are under way in it. */
export class SubmissionQueue implements SubmissionQueueSpec {
  readonly id: number
  readonly iova: number
  readonly depth: number
  readonly completions: CompletionQueue
  readonly #memory: GuestMemory
  readonly #doorbells: Doorbells
  readonly #doorbell: number
  readonly #pending = new Map<number, Pending>()
  readonly #waiting: (() => void)[] = []
  readonly #onSubmit: () => void
  readonly #timeoutMs: number
  #tail = 0
  #head = 0
  #nextCid = 0
  #abandoned: Error | undefined

  constructor (
    spec: SubmissionQueueSpec,
    memory: GuestMemory,
    doorbells: Doorbells,
    options: { readonly stride: number, readonly timeoutMs: number, readonly onSubmit: () => void }
  ) {
    this.id = spec.id
    this.iova = spec.iova
    this.depth = spec.depth
    this.completions = spec.completions
    this.#memory = memory
    this.#doorbells = doorbells
    this.#doorbell = doorbellOffset('sq', spec.id, options.stride)
    this.#timeoutMs = options.timeoutMs
    this.#onSubmit = options.onSubmit
  }

  /** How many commands have not completed. */
  get pendingCount (): number {
    return this.#pending.size
  }

  /** Submits a command, once there is a slot, and resolves with its completion, whatever its status. */
  async submit (command: NvmeCommand, options: SubmitOptions = {}): Promise<NvmeCompletion> {
    while (this.#isFull && this.#abandoned === undefined) await this.#slot()
    if (this.#abandoned !== undefined) throw this.#abandoned
    const cid = options.cid ?? this.#takeCid()
    const completed = new Promise<NvmeCompletion>((resolve, reject) => {
      this.#pending.set(cid, { resolve, reject, timer: this.#arm(cid, command, options, reject) })
    })
    this.place(encodeCommand(command, cid))
    this.#onSubmit()
    const [completion] = await Promise.all([completed, this.ring()])
    return completion
  }

  /** Puts an entry at the tail without ringing, for tests. */
  place (entry: Uint8Array): void {
    this.#memory.store(this.iova + this.#tail * Sqe.byteLength, entry)
    this.#tail = (this.#tail + 1) % this.depth
  }

  /** Writes the tail doorbell, or any other value, for tests. */
  async ring (tail: number = this.#tail): Promise<void> {
    await this.#doorbells.ring(this.#doorbell, tail)
  }

  /** Takes a completion of this queue. False where no command with that identifier is under way. */
  complete (completion: NvmeCompletion): boolean {
    this.#head = completion.sqhd
    const pending = this.#pending.get(completion.cid)
    for (const wake of this.#waiting.splice(0)) wake()
    if (pending === undefined) return false
    this.#pending.delete(completion.cid)
    clearTimeout(pending.timer)
    pending.resolve(completion)
    return true
  }

  /** Gives up all commands, and takes no more. */
  abandon (error: Error): void {
    this.#abandoned ??= error
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer)
      pending.reject(error)
    }
    this.#pending.clear()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  get #isFull (): boolean {
    return (this.#tail + 1) % this.depth === this.#head
  }

  #slot (): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  #takeCid (): number {
    while (this.#pending.has(this.#nextCid)) this.#nextCid = (this.#nextCid + 1) & 0x7fff
    const cid = this.#nextCid
    this.#nextCid = (cid + 1) & 0x7fff
    return cid
  }

  #arm (
    cid: number,
    command: NvmeCommand,
    options: SubmitOptions,
    reject: (error: Error) => void
  ): NodeJS.Timeout | undefined {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    if (timeoutMs === 0) return undefined
    const what = `Command ${cid} (opcode 0x${command.opcode.toString(16)}) of queue ${this.id}`
    return setTimeout(() => reject(new Error(`${what} did not complete within ${timeoutMs} ms.`)), timeoutMs)
  }
}
