import { DmaAccess, DmaFault } from '@pcikit/core'
import type { Command } from './command.js'
import type { PrpMapper } from './prp.js'
import { fillSegments, gatherSegments } from './segments.js'
import { Status } from './status.js'
import type { Outcome } from './status.js'

/** Moves the data of commands that are not in a hurry: whole structures, from or to an array of their own. */
export class DataTransfer {
  readonly #prps: PrpMapper

  constructor (prps: PrpMapper) {
    this.#prps = prps
  }

  /** Gives the host the first `byteLength` bytes of `source`, with zeroes where it is shorter. */
  toHost (command: Command, source: Uint8Array, byteLength: number = source.length): Outcome {
    const mapped = this.#prps.map(command, byteLength, DmaAccess.WRITE)
    if (typeof mapped === 'number') return mapped === Status.SUCCESS ? send(command, source) : mapped
    return mapped.then(status => status === Status.SUCCESS ? send(command, source) : status)
  }

  /** Fills `target` with the command's data, then has `use` say what comes of it. */
  fromHost (command: Command, target: Uint8Array, use: () => Outcome): Outcome {
    const mapped = this.#prps.map(command, target.length, DmaAccess.READ)
    if (typeof mapped === 'number') return mapped === Status.SUCCESS ? receive(command, target, use) : mapped
    return mapped.then(status => status === Status.SUCCESS ? receive(command, target, use) : status)
  }
}

function send (command: Command, source: Uint8Array): Outcome {
  const { lease } = command
  if (lease.fault !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
  fillSegments(lease, source)
  return committed(lease.commit())
}

function receive (command: Command, target: Uint8Array, use: () => Outcome): Outcome {
  const fetched = command.lease.fetch()
  if (typeof fetched === 'number') return gather(command, target, use, fetched)
  return fetched.then(fault => gather(command, target, use, fault))
}

function gather (command: Command, target: Uint8Array, use: () => Outcome, fetched: DmaFault): Outcome {
  const { lease } = command
  if (fetched !== DmaFault.NONE || lease.fault !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
  gatherSegments(lease, target)
  const status = committed(lease.commit())
  if (typeof status === 'number') return status === Status.SUCCESS ? received(command, use) : status
  return status.then(ended => ended === Status.SUCCESS ? received(command, use) : ended)
}

/** The data are in an array of our own, so an unmap need not wait for what is done with them. */
function received (command: Command, use: () => Outcome): Outcome {
  command.lease.close()
  return use()
}

/** What a command comes to when the end of its transfer decides. */
export function committed (fault: DmaFault | Promise<DmaFault>): Outcome {
  if (typeof fault === 'number') return fault === DmaFault.NONE ? Status.SUCCESS : Status.DATA_TRANSFER_ERROR
  return fault.then(late => late === DmaFault.NONE ? Status.SUCCESS : Status.DATA_TRANSFER_ERROR)
}
