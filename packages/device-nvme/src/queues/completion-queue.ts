import { assert, DmaAccess, DmaFault, InterruptPace } from '@pcikit/core'
import type { DmaSpace, DmaWindow } from '@pcikit/core'
import { CompletionLayout, completionStatusWord } from '../layouts/completion.js'
import { QueueDoorbell } from './queue-doorbell.js'
import type { DoorbellState } from './queue-doorbell.js'
import type { QueuePlace, SubmissionQueue } from './submission-queue.js'
import { WaitingCompletions } from './waiting-completions.js'
import type { Completion } from './waiting-completions.js'

const ENTRY_BYTES = CompletionLayout.byteLength
/** Completions sent at once where the client does not share the ring. */
const MESSAGE_ENTRIES = 64

/** How a completion queue interrupts the host. */
export interface CompletionInterrupt {
  readonly vector: number
  /** IEN of Create I/O Completion Queue. */
  readonly isEnabled: boolean
}

/** A completion that waits to be told, and the submission queue that its command is from. */
export interface CompletionState extends Omit<Completion, 'queue'> {
  readonly queueId: number
}

/** Where a completion queue is while nothing of it is being told. */
export interface CompletionQueueState extends QueuePlace {
  readonly vector: number
  readonly hasInterrupts: boolean
  readonly head: number
  readonly tail: number
  readonly phase: number
  readonly waiting: readonly CompletionState[]
  readonly doorbell: DoorbellState
}

/**
 * A completion queue: what is to be told to the host, in order, and the ring it is told in. Each command has a place in
 * the ring from its fetch on, so the ring never overruns; what has none (events) waits in the list until the host has
 * consumed something. [NVMe-Base] "Completion Queues", "Phase Tag".
 *
 * ```
 *   reserved (in flight) ─► waiting (list) ─► used (ring) ─► consumed by the host's head doorbell
 *   reserved + waiting + used <= size - 1 whenever a command is fetched
 * ```
 */
export class CompletionQueue {
  readonly id: number
  readonly size: number
  readonly vector: number
  readonly hasInterrupts: boolean
  readonly #dma: DmaSpace
  readonly #window: DmaWindow
  readonly #iova: number
  /** What the head doorbell said last. */
  head = 0
  readonly doorbell: QueueDoorbell
  isOpen = true
  /** In the scheduler's list of queues to publish. */
  isListed = false
  /** In the scheduler's list of queues to interrupt for. */
  isNoticeDue = false
  /** Its memory is gone. See `fault`. */
  isStalled = false
  /** The host was not yet seen to consume everything: the level of INTx. */
  isRaised = false
  fault: DmaFault = DmaFault.NONE
  /** How often memory had come when it was published last. */
  arrivals = 0
  readonly pace = new InterruptPace()
  /** The submission queues that post here. */
  readonly users: SubmissionQueue[] = []
  #tail = 0
  #phase = 1
  #reserved = 0
  readonly #waiting = new WaitingCompletions()
  /** Entries from the tail on that were sent by message. The host may consume them before we know, or without us. */
  #inDoubt = 0
  #isSending = false
  #sent: Uint8Array | undefined = undefined
  readonly #blocked: SubmissionQueue[] = []

  constructor (dma: DmaSpace, place: QueuePlace, interrupt: CompletionInterrupt) {
    this.id = place.id
    this.doorbell = new QueueDoorbell(place.id * 2 + 1)
    this.size = place.size
    this.vector = interrupt.vector
    this.hasInterrupts = interrupt.isEnabled
    this.#dma = dma
    this.#iova = place.iova
    this.#window = dma.openWindow(place.iova, place.size * ENTRY_BYTES, DmaAccess.WRITE)
  }

  /** Where its doorbell is. */
  get place (): number {
    return this.head
  }

  /** Entries in the ring that the host has not consumed. */
  get used (): number {
    const used = this.#tail + this.#inDoubt - this.head
    if (used < 0) return used + this.size
    return used < this.size ? used : used - this.size
  }

  get untaken (): number {
    return this.used
  }

  /** How many more commands may be fetched for this queue. */
  get room (): number {
    // What is in doubt is in the list and in the ring.
    return this.size - 1 - this.used - (this.#waiting.count - this.#inDoubt) - this.#reserved
  }

  /** Commands that were fetched have not ended yet. */
  get isExpecting (): boolean {
    return this.#reserved > 0
  }

  /** Nothing can be written until the host consumes something. */
  get isFull (): boolean {
    return this.#ringed === this.size - 1
  }

  /** Something waits until the host consumes something. */
  get isBlocking (): boolean {
    return this.#blocked.length > 0 || (this.hasWaiting && this.isFull)
  }

  get hasWaiting (): boolean {
    return this.#waiting.count > 0
  }

  /** A command was fetched: it has a place. */
  reserve (): void {
    this.#reserved++
  }

  /** A command gives its place up, because it may stay forever or ends without a completion. */
  unreserve (): void {
    assert(this.#reserved > 0, 'a place in a completion queue is given up once')
    this.#reserved--
  }

  /** A command is done and waits to be told. It no longer counts as reserved, and its record is no longer needed. */
  enqueue (command: Completion): void {
    this.#waiting.push(command)
  }

  /** Entries are on their way by message. */
  get isSending (): boolean {
    return this.#isSending
  }

  save (): CompletionQueueState {
    const { id, size, vector, hasInterrupts, head } = this
    const waiting = Array.from({ length: this.#waiting.count }, (_, index) => ({
      queueId: this.#waiting.queueAt(index).id,
      cid: this.#waiting.cidAt(index),
      statusField: this.#waiting.statusFieldAt(index),
      result: this.#waiting.resultAt(index)
    }))
    const doorbell = this.doorbell.save()
    const [tail, phase] = [this.#tail, this.#phase]
    return { id, iova: this.#iova, size, vector, hasInterrupts, head, tail, phase, waiting, doorbell }
  }

  /** Goes on where another one was. Completions of queues that are not there any more are not told. */
  restore (state: CompletionQueueState, queueOf: (id: number) => SubmissionQueue | undefined): void {
    this.head = state.head
    this.#tail = state.tail
    this.#phase = state.phase
    this.doorbell.restore(state.doorbell)
    for (const { queueId, ...completion } of state.waiting) {
      const queue = queueOf(queueId)
      if (queue !== undefined) this.enqueue({ ...completion, queue })
    }
  }

  /**
   * Writes what waits, as far as there is room, and returns how much was written. Where the client has to be asked,
   * `later` is called with how much it took. Stops at a fault: see `fault`.
   */
  publish (later: (queue: CompletionQueue, count: number) => void): number {
    this.fault = DmaFault.NONE
    let count = 0
    while (this.#waiting.count > 0 && !this.#isSending && this.#ringed < this.size - 1) {
      const window = this.#window
      if (!window.locate(this.#tail * ENTRY_BYTES, ENTRY_BYTES)) {
        this.fault = window.fault
        return this.fault === DmaFault.NONE ? count + this.#send(later) : count
      }
      count += this.#writeRun(window)
    }
    return count
  }

  /**
   * Writes as many entries as lie in one piece of memory. The host takes them in order, so the first one is published
   * last, by the only store that waits for those before it.
   */
  #writeRun (window: DmaWindow): number {
    const { view, position } = window
    const inRing = Math.min(this.#waiting.count, this.size - 1 - this.#ringed, this.size - this.#tail)
    const count = Math.min(inRing, Math.floor(window.run / ENTRY_BYTES))
    assert(count > 0, 'a window says how much of what it located is in one piece')
    for (let index = 1; index < count; index++) {
      const base = position + index * ENTRY_BYTES
      this.#write(index, view, base)
      CompletionLayout.statusWord.set(view, base, this.#statusWord(index))
    }
    this.#write(0, view, position)
    Atomics.store(window.words, (position + CompletionLayout.statusWord.offset) >>> 2, this.#statusWord(0))
    this.#advance(count)
    return count
  }

  /** Takes the head doorbell. False: the host cannot have consumed that much, and nothing changed. */
  consume (head: number): boolean {
    if (head >= this.size) return false
    const consumed = head >= this.head ? head - this.head : head - this.head + this.size
    if (consumed > this.used) return false
    this.head = head
    if (!this.#isSending) this.#catchUp()
    return true
  }

  /** A submission queue stops until there is room. */
  block (queue: SubmissionQueue): void {
    queue.isWaiting = true
    this.#blocked.push(queue)
  }

  /** The submission queues that may go on, if there is room. */
  unblock (): SubmissionQueue | undefined {
    if (this.#blocked.length === 0 || this.room <= 0) return undefined
    const queue = this.#blocked.pop()!
    queue.isWaiting = false
    return queue
  }

  /** Forgets the ring and everything that waits. */
  close (): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#window.close()
    this.#waiting.drop(this.#waiting.count)
  }

  /** Entries in the ring that the host has not consumed and that it has for certain. */
  get #ringed (): number {
    const ringed = this.#tail - this.head
    return ringed < 0 ? ringed + this.size : ringed
  }

  /** All but the last word, which carries the phase tag, of the one that is `index` after the first one waiting. */
  #write (index: number, view: DataView, base: number): void {
    const queue = this.#waiting.queueAt(index)
    queue.isAnswered = true
    CompletionLayout.result.set(view, base, this.#waiting.resultAt(index))
    CompletionLayout.reserved.set(view, base, 0)
    CompletionLayout.sqhd.set(view, base, queue.head)
    CompletionLayout.sqid.set(view, base, queue.id)
  }

  /** The last word of the same, with the phase tag of the entry it goes to. */
  #statusWord (index: number): number {
    const phase = this.#tail + index < this.size ? this.#phase : this.#phase ^ 1
    return completionStatusWord(this.#waiting.cidAt(index), this.#waiting.statusFieldAt(index), phase)
  }

  /** `count` of those that waited were told. */
  #advance (count: number): void {
    this.#waiting.drop(count)
    this.#inDoubt = Math.max(0, this.#inDoubt - count)
    this.#tail += count
    if (this.#tail < this.size) return
    this.#tail -= this.size
    this.#phase ^= 1
  }

  /** Sends a run of entries, up to the end of the ring. */
  #send (later: (queue: CompletionQueue, count: number) => void): number {
    const count = Math.min(this.#waiting.count, this.size - 1 - this.#ringed, this.size - this.#tail, MESSAGE_ENTRIES)
    const written = this.#dma.write(this.#iova + this.#tail * ENTRY_BYTES, this.#compose(count))
    if (typeof written === 'number') return this.#sentRun(count, written)
    this.#inDoubt = Math.max(this.#inDoubt, count)
    this.#isSending = true
    void written.then(fault => {
      if (!this.isOpen) return
      this.#isSending = false
      later(this, this.#sentRun(count, fault))
    })
    return 0
  }

  #compose (count: number): Uint8Array {
    this.#sent ??= new Uint8Array(MESSAGE_ENTRIES * ENTRY_BYTES)
    const view = new DataView(this.#sent.buffer)
    for (let index = 0; index < count; index++) {
      this.#write(index, view, index * ENTRY_BYTES)
      CompletionLayout.statusWord.set(view, index * ENTRY_BYTES, this.#statusWord(index))
    }
    return this.#sent.subarray(0, count * ENTRY_BYTES)
  }

  #sentRun (count: number, fault: DmaFault): number {
    this.fault = fault
    const told = fault === DmaFault.NONE ? count : 0
    this.#advance(told)
    this.#catchUp()
    return told
  }

  /** What the host consumed it was told, also where the client said that it could not be, or nothing at all. */
  #catchUp (): void {
    const overtaken = (this.head - this.#tail + this.size) % this.size
    // More than that is not ahead of the tail, but behind it.
    if (overtaken <= this.#inDoubt) this.#advance(overtaken)
  }
}
