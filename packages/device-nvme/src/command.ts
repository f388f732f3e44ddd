import type { DmaLease } from '@pcikit/core'
import { CommandLayout } from './layouts/command.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/**
 * A private copy of one command, and what becomes of it. The guest may rewrite the queue slot at any time, so it is
 * read exactly once. Records are recycled by {@link CommandPool}; each has a lease of its own for the command's data.
 */
export class Command {
  /** The command's data in guest memory. */
  readonly lease: DmaLease
  opcode = 0
  /** FUSE and PSDT: see CommandFlags. */
  flags = 0
  cid = 0
  nsid = 0
  prp1 = 0
  prp2 = 0
  cdw10 = 0
  cdw11 = 0
  cdw12 = 0
  cdw13 = 0
  cdw14 = 0
  cdw15 = 0
  /** The queue it came from. */
  queue: SubmissionQueue | undefined = undefined
  /** Dword 0 of the completion. */
  result = 0
  /** Status Field of the completion, without the phase tag. */
  statusField = 0
  /** Between fetch and completion. */
  isActive = false
  /** Held by the controller until something happens: an Asynchronous Event Request. */
  isParked = false
  /** Its back end has the lease, and answers later. Only then can the command end before that: see CommandProcessor. */
  isInBackEnd = false
  /** It ended for the host, but the back end has not answered. The record and its lease stay with the back end. */
  isLate = false
  /** The ranges of a Dataset Management command, once they are known. */
  ranges: DataView | undefined = undefined
  /** See TransferFaults. */
  busMasterMark: number | undefined = undefined
  /** The next one of the list it is in. */
  next: Command | undefined = undefined

  constructor (lease: DmaLease) {
    this.lease = lease
  }

  /** Copies the entry at `base`. */
  load (view: DataView, base: number): void {
    this.opcode = CommandLayout.opcode.get(view, base)
    this.flags = CommandLayout.flags.get(view, base)
    this.cid = CommandLayout.cid.get(view, base)
    this.nsid = CommandLayout.nsid.get(view, base)
    this.prp1 = CommandLayout.prp1.get(view, base)
    this.prp2 = CommandLayout.prp2.get(view, base)
    this.cdw10 = CommandLayout.cdw10.get(view, base)
    this.cdw11 = CommandLayout.cdw11.get(view, base)
    this.cdw12 = CommandLayout.cdw12.get(view, base)
    this.cdw13 = CommandLayout.cdw13.get(view, base)
    this.cdw14 = CommandLayout.cdw14.get(view, base)
    this.cdw15 = CommandLayout.cdw15.get(view, base)
  }
}
