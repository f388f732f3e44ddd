import { LateRanges } from '@pcikit/block'
import type { BlockRange } from '@pcikit/block'
import type { Command } from './command.js'
import { blockCount, startingBlock } from './io/block-range.js'
import { DatasetManagement, DatasetRange } from './layouts/command.js'
import { IoOpcode } from './opcodes.js'
import type { SubmissionQueue } from './queues/submission-queue.js'
import { Status } from './status.js'

const ALL_BLOCKS: readonly BlockRange[] = [{ start: 0, count: Infinity }]

/**
 * Changes of the media that the host was told to have failed, or that are from before a reset, while the back end still
 * works on them. It may make them at any time, so what touches the same blocks is held until then: a late change never
 * follows a newer one. docs/decisions/0010-late-changes.md says why.
 */
export class LateChanges {
  readonly #complete: (command: Command, status: Status) => void
  /** By NSID, where there are any. */
  readonly #namespaces = new Map<number, LateRanges<Command>>()

  /** `complete` ends a command that was held here. */
  constructor (complete: (command: Command, status: Status) => void) {
    this.#complete = complete
  }

  /** Nothing is late, which is so nearly always. */
  get isEmpty (): boolean {
    return this.#namespaces.size === 0
  }

  /** The command has ended for the host, but not in its back end. */
  add (command: Command): void {
    if (!isChange(command)) return
    let late = this.#namespaces.get(command.nsid)
    if (late === undefined) this.#namespaces.set(command.nsid, late = new LateRanges())
    late.add(command, changedBy(command))
  }

  /** Keeps a command that must not begin yet. False: it may. A held command has touched nothing. */
  hold (command: Command): boolean {
    return this.#namespaces.get(command.nsid)?.hold(command, touchedBy(command)) ?? false
  }

  /** The back end is done with a late command. Returns those that may begin now, in order. */
  end (command: Command): Command[] {
    const late = this.#namespaces.get(command.nsid)
    if (late === undefined) return []
    const released = late.end(command)
    if (late.isEmpty) this.#namespaces.delete(command.nsid)
    return released
  }

  /** Ends a held command early. False where there is no such command. */
  abort (queueId: number, cid: number): boolean {
    return this.#drop(held => held.queue?.id === queueId && held.cid === cid, Status.ABORT_REQUESTED)
  }

  /** The queue is being deleted: what is held of it ends. */
  endOf (queue: SubmissionQueue): void {
    this.#drop(held => held.queue === queue, Status.ABORTED_SQ_DELETION)
  }

  /** All queues are closed: what is held ends, and nobody is told. What is late stays so. */
  reset (): void {
    this.#drop(() => true, Status.ABORTED_SQ_DELETION)
  }

  /** Ends the held commands for which `test` is true. False where there are none. */
  #drop (test: (command: Command) => boolean, status: Status): boolean {
    const dropped = [...this.#namespaces.values()].flatMap(late => late.drop(test))
    for (const command of dropped) this.#complete(command, status)
    return dropped.length > 0
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

/** The blocks that a late change may still change. */
function changedBy (command: Command): readonly BlockRange[] {
  if (command.opcode !== IoOpcode.DATASET_MANAGEMENT) return [blocksOf(command)]
  const { ranges } = command
  if (ranges === undefined) return ALL_BLOCKS
  const changed: BlockRange[] = []
  for (let base = 0; base < ranges.byteLength; base += DatasetRange.byteLength) {
    changed.push({ start: DatasetRange.slba.get(ranges, base), count: DatasetRange.length.get(ranges, base) })
  }
  return changed
}

/** The blocks that a new command reads or changes. Flush is about commands that ended well. */
function touchedBy (command: Command): readonly BlockRange[] {
  switch (command.opcode) {
    case IoOpcode.READ:
    case IoOpcode.WRITE:
    case IoOpcode.WRITE_ZEROES:
    case IoOpcode.COMPARE:
      return [blocksOf(command)]
    case IoOpcode.DATASET_MANAGEMENT:
      // Its ranges are in guest memory, which is not looked at twice.
      return DatasetManagement.AD.isSet(command.cdw11) ? ALL_BLOCKS : []
    default:
      return []
  }
}

function blocksOf (command: Command): BlockRange {
  return { start: startingBlock(command), count: blockCount(command) }
}
