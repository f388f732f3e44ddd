import type { Command } from './command.js'
import { blockCount, startingBlock } from './io/block-range.js'
import { DatasetManagement, DatasetRange } from './layouts/command.js'
import { IoOpcode } from './opcodes.js'
import type { SubmissionQueue } from './queues/submission-queue.js'
import { Status } from './status.js'

/**
 * Changes of the media that the host was told to have failed, or that are from before a reset, while the back end still
 * works on them. It may make them at any time, so what touches the same blocks is held until then: a late change never
 * follows a newer one. docs/decisions/0010-late-changes.md says why.
 */
export class LateChanges {
  readonly #complete: (command: Command, status: Status) => void
  readonly #changes: Command[] = []
  #held: Command[] = []

  /** `complete` ends a command that was held here. */
  constructor (complete: (command: Command, status: Status) => void) {
    this.#complete = complete
  }

  /** Nothing is late, which is so nearly always. */
  get isEmpty (): boolean {
    return this.#changes.length === 0
  }

  /** The command has ended for the host, but not in its back end. */
  add (command: Command): void {
    if (isChange(command)) this.#changes.push(command)
  }

  /** Keeps a command that must not begin yet. False: it may. A held command has touched nothing. */
  hold (command: Command): boolean {
    const mustWait = this.#changes.some(change => mayTouch(command, change))
    if (mustWait) this.#held.push(command)
    return mustWait
  }

  /** The back end is done with a late command. Returns those that may begin now, in order. */
  end (command: Command): Command[] {
    const index = this.#changes.indexOf(command)
    if (index < 0) return []
    this.#changes.splice(index, 1)
    return this.#take(held => !this.#changes.some(change => mayTouch(held, change)))
  }

  /** Ends a held command early. False where there is no such command. */
  abort (queueId: number, cid: number): boolean {
    const [command] = this.#take(held => held.queue?.id === queueId && held.cid === cid)
    if (command !== undefined) this.#complete(command, Status.ABORT_REQUESTED)
    return command !== undefined
  }

  /** The queue is being deleted: what is held of it ends. */
  endOf (queue: SubmissionQueue): void {
    for (const command of this.#take(held => held.queue === queue)) {
      this.#complete(command, Status.ABORTED_SQ_DELETION)
    }
  }

  /** All queues are closed: what is held ends, and nobody is told. What is late stays so. */
  reset (): void {
    for (const command of this.#take(() => true)) this.#complete(command, Status.ABORTED_SQ_DELETION)
  }

  /** Lets go of the held commands for which `test` is true. */
  #take (test: (command: Command) => boolean): Command[] {
    const taken = this.#held.filter(test)
    if (taken.length > 0) this.#held = this.#held.filter(command => !taken.includes(command))
    return taken
  }
}

function isChange (command: Command): boolean {
  switch (command.opcode) {
    case IoOpcode.WRITE:
    case IoOpcode.WRITE_ZEROES:
      return true
    case IoOpcode.DATASET_MANAGEMENT:
      return DatasetManagement.AD.isSet(command.cdw11)
    default:
      return false
  }
}

/** Whether a new command reads or changes a block of a late change. Flush is about commands that ended well. */
function mayTouch (command: Command, change: Command): boolean {
  if (command.nsid !== change.nsid) return false
  switch (command.opcode) {
    case IoOpcode.READ:
    case IoOpcode.WRITE:
    case IoOpcode.WRITE_ZEROES:
    case IoOpcode.COMPARE:
      return overlaps(change, startingBlock(command), blockCount(command))
    case IoOpcode.DATASET_MANAGEMENT:
      // Its ranges are in guest memory, which is not looked at twice.
      return DatasetManagement.AD.isSet(command.cdw11)
    default:
      return false
  }
}

function overlaps (change: Command, lba: number, count: number): boolean {
  if (change.opcode !== IoOpcode.DATASET_MANAGEMENT) {
    return intersects(startingBlock(change), blockCount(change), lba, count)
  }
  const { ranges } = change
  if (ranges === undefined) return true
  for (let base = 0; base < ranges.byteLength; base += DatasetRange.byteLength) {
    const start = DatasetRange.slba.get(ranges, base)
    if (intersects(start, DatasetRange.length.get(ranges, base), lba, count)) return true
  }
  return false
}

function intersects (start: number, length: number, lba: number, count: number): boolean {
  return start < lba + count && lba < start + length
}
