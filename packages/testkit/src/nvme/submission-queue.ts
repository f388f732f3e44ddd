import type { GuestMemory } from '../guest/guest-memory.js'
import { PendingCommands } from '../guest/pending-commands.js'
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

/** How a command is submitted. */
export interface SubmitOptions {
  /** The command identifier, for tests of conflicts. By default the next that is free. */
  readonly cid?: number
  /** Milliseconds until the completion must have come; 0: for ever. */
  readonly timeoutMs?: number
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
  readonly #pending = new PendingCommands<NvmeCompletion>()
  readonly #onSubmit: () => void
  readonly #timeoutMs: number
  #tail = 0
  #head = 0
  #nextCid = 0

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
    return this.#pending.count
  }

  /** Submits a command, once there is a slot, and resolves with its completion, whatever its status. */
  async submit (command: NvmeCommand, options: SubmitOptions = {}): Promise<NvmeCompletion> {
    this.#pending.check()
    while (this.#isFull) {
      await this.#pending.room()
      this.#pending.check()
    }
    const cid = options.cid ?? this.#takeCid()
    const completed = this.#pending.add(
      cid,
      options.timeoutMs ?? this.#timeoutMs,
      () => `Command ${cid} (opcode 0x${command.opcode.toString(16)}) of queue ${this.id}`
    )
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
    this.#pending.wake()
    return this.#pending.complete(completion.cid, completion)
  }

  /** Gives up all commands, and takes no more. */
  abandon (error: Error): void {
    this.#pending.abandon(error)
  }

  get #isFull (): boolean {
    return (this.#tail + 1) % this.depth === this.#head
  }

  #takeCid (): number {
    while (this.#pending.has(this.#nextCid)) this.#nextCid = (this.#nextCid + 1) & 0x7fff
    const cid = this.#nextCid
    this.#nextCid = (cid + 1) & 0x7fff
    return cid
  }
}
