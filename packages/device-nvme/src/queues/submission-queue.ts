import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaSpace, DmaWindow } from '@pcikit/core'
import type { Command } from '../command.js'
import { CommandLayout } from '../layouts/command.js'
import type { CompletionQueue } from './completion-queue.js'
import { QueueDoorbell } from './queue-doorbell.js'
import type { DoorbellState } from './queue-doorbell.js'

/** Entries fetched at once where the client does not share the ring. */
const MESSAGE_ENTRIES = 32

/** Where a queue is, as its creator gave it. */
export interface QueuePlace {
  readonly id: number
  readonly iova: number
  /** Entries, of which one always stays empty. */
  readonly size: number
}

/** Where a submission queue is while nothing of it is being fetched. */
export interface SubmissionQueueState extends QueuePlace {
  readonly completionId: number
  readonly head: number
  readonly tail: number
  readonly doorbell: DoorbellState
}

/**
 * A submission queue: the host's ring of commands, as the controller sees it. The ring is found anew for each entry, so
 * its memory may come and go. [NVMe-Base] "Submission Queues", "Queue Size".
 *
 * ```
 *   head ──► next entry to fetch ... tail ──► first entry the host has not filled     (empty: head = tail)
 * ```
 */
export class SubmissionQueue {
  readonly id: number
  readonly size: number
  readonly completionQueue: CompletionQueue
  readonly #dma: DmaSpace
  readonly #window: DmaWindow
  readonly #iova: number
  /** Next entry to fetch; what completions report as SQHD. */
  head = 0
  /** What the doorbell said last. */
  tail = 0
  readonly doorbell: QueueDoorbell
  /** Its shadow doorbell is looked at in every turn. */
  isWatched = false
  /** When it had something new last, or was told of completions. */
  busyAtMs = 0
  /** For how long it is watched after its last work, as its host has shown to be of use. */
  watchMs = 0
  /** Completions of it were written since this was cleared. */
  isAnswered = false
  /** Commands fetched and not completed. */
  inFlight = 0
  /** False once it is deleted, or its controller was reset. */
  isOpen = true
  /** In the scheduler's list of queues to serve. */
  isListed = false
  /** Entries are on their way by message. */
  isFetching = false
  /** Its completion queue has no room. */
  isWaiting = false
  /** Its memory is gone. See `fault`. */
  isStalled = false
  /** Told to end: nothing is fetched any more. */
  isEnding = false
  /** Why the last fetch failed. */
  fault: DmaFault = DmaFault.NONE
  /** Called when the last command in flight is done, once. */
  onIdle: (() => void) | undefined = undefined
  #fetched: DataView | undefined = undefined
  #fetchedBytes: Uint8Array | undefined = undefined

  constructor (dma: DmaSpace, place: QueuePlace, completionQueue: CompletionQueue) {
    this.id = place.id
    this.doorbell = new QueueDoorbell(place.id * 2)
    this.size = place.size
    this.completionQueue = completionQueue
    this.#dma = dma
    this.#iova = place.iova
    this.#window = dma.openWindow(place.iova, place.size * CommandLayout.byteLength, DmaAccess.READ)
  }

  /** Where its doorbell is. */
  get place (): number {
    return this.tail
  }

  save (): SubmissionQueueState {
    const { id, size, head, tail } = this
    const { id: completionId } = this.completionQueue
    return { id, iova: this.#iova, size, completionId, head, tail, doorbell: this.doorbell.save() }
  }

  /** Whether there is an entry that can be fetched, apart from room for its completion. */
  get isServable (): boolean {
    return this.head !== this.tail && this.isOpen && !this.isStalled && !this.isFetching && !this.isWaiting &&
      !this.isEnding
  }

  /**
   * Copies the next entry into `command`. False: see `fault`; where that is NONE, the ring has to be read by
   * {@link readRun}.
   */
  fetch (command: Command): boolean {
    const window = this.#window
    if (!window.locate(this.head * CommandLayout.byteLength, CommandLayout.byteLength)) {
      this.fault = window.fault
      return false
    }
    command.load(window.view, window.position)
    this.advance()
    return true
  }

  advance (): void {
    this.head = this.head + 1 === this.size ? 0 : this.head + 1
  }

  /** How many entries {@link readRun} takes now, where `room` completions have a place. */
  runLength (room: number): number {
    const end = this.tail > this.head ? this.tail : this.size
    return Math.min(end - this.head, room, MESSAGE_ENTRIES)
  }

  /** Copies entries from `head` on, which need not be in one piece or shared. They are then at `loadRead`. */
  readRun (count: number): DmaFault | Promise<DmaFault> {
    if (this.#fetched === undefined) {
      this.#fetchedBytes = new Uint8Array(MESSAGE_ENTRIES * CommandLayout.byteLength)
      this.#fetched = new DataView(this.#fetchedBytes.buffer)
    }
    const target = this.#fetchedBytes!.subarray(0, count * CommandLayout.byteLength)
    return this.#dma.read(this.#iova + this.head * CommandLayout.byteLength, target)
  }

  /** Copies entry `index` of the last {@link readRun} into `command`. */
  loadRead (command: Command, index: number): void {
    command.load(this.#fetched!, index * CommandLayout.byteLength)
    this.advance()
  }

  /** Takes a doorbell. False: there is no such entry, and nothing changed. */
  ring (tail: number): boolean {
    if (tail >= this.size) return false
    this.tail = tail
    return true
  }

  /** Forgets the ring. Commands in flight end without a completion. */
  close (): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#window.close()
  }
}
