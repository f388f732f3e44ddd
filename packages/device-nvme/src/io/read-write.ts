import { DmaAccess, DmaFault } from '@pcikit/core'
import type { Command } from '../command.js'
import type { Namespace } from '../namespace.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { committed } from '../transfer.js'
import { blockCount, isInside, startingBlock } from './block-range.js'
import { DirectTransfer } from './direct-transfer.js'
import type { IoSurroundings } from './io-surroundings.js'
import { settled } from './media.js'

/**
 * Read and Write, the commands that have to be quick. Each step goes on at once where the one before it answered at
 * once, and in a continuation where it did not: then, and only then, there are promises.
 *
 * ```
 *   read:   map PRPs ─► back end fills guest memory ─► commit
 *   write:  map PRPs ─► fetch ─► back end takes guest memory ─► commit ─► flush, if it has to be durable
 * ```
 *
 * What is over at once has no lease: see {@link DirectTransfer}.
 */
export class ReadWrite {
  readonly #surroundings: IoSurroundings
  readonly #direct: DirectTransfer

  constructor (surroundings: IoSurroundings) {
    this.#surroundings = surroundings
    this.#direct = new DirectTransfer(surroundings.prps, surroundings.peek)
  }

  /** [NVMe-NVM] "Read command". */
  read (command: Command, namespace: Namespace): Outcome {
    const count = blockCount(command)
    const invalid = this.#check(command, namespace, count)
    if (invalid !== Status.SUCCESS) return invalid
    const { health, prps } = this.#surroundings
    const byteLength = count * namespace.blockBytes
    health.countRead(byteLength)
    if (this.#direct.read(command, namespace, byteLength)) return Status.SUCCESS
    const mapped = prps.map(command, byteLength, DmaAccess.WRITE)
    if (mapped === Status.SUCCESS) return this.#readMapped(command, namespace)
    if (typeof mapped === 'number') return mapped
    return mapped.then(status => status === Status.SUCCESS ? this.#readMapped(command, namespace) : status)
  }

  /** [NVMe-NVM] "Write command". */
  write (command: Command, namespace: Namespace): Outcome {
    const count = blockCount(command)
    const invalid = this.#check(command, namespace, count)
    if (invalid !== Status.SUCCESS) return invalid
    if (namespace.readOnly) return Status.NAMESPACE_WRITE_PROTECTED
    const { health, prps } = this.#surroundings
    const byteLength = count * namespace.blockBytes
    health.countWrite(byteLength)
    if (this.#direct.write(command, namespace, byteLength)) return settled(this.#surroundings, command, namespace)
    const mapped = prps.map(command, byteLength, DmaAccess.READ)
    if (mapped === Status.SUCCESS) return this.#writeMapped(command, namespace)
    if (typeof mapped === 'number') return mapped
    return mapped.then(status => status === Status.SUCCESS ? this.#writeMapped(command, namespace) : status)
  }

  #check (command: Command, namespace: Namespace, count: number): Status {
    if (count * namespace.blockBytes > this.#surroundings.transferBytesMax) return Status.INVALID_FIELD
    return isInside(namespace, startingBlock(command), count) ? Status.SUCCESS : Status.LBA_OUT_OF_RANGE
  }

  #readMapped (command: Command, namespace: Namespace): Outcome {
    const pending = namespace.backend.read(startingBlock(command), command.lease)
    if (pending === undefined) return committed(command.lease.commit())
    command.isInBackEnd = true
    return pending.then(() => {
      command.isInBackEnd = false
      return committed(command.lease.commit())
    })
  }

  #writeMapped (command: Command, namespace: Namespace): Outcome {
    const fetched = command.lease.fetch()
    if (fetched === DmaFault.NONE) return this.#writeFetched(command, namespace)
    if (typeof fetched === 'number') return Status.DATA_TRANSFER_ERROR
    return fetched.then(fault =>
      fault === DmaFault.NONE ? this.#writeFetched(command, namespace) : Status.DATA_TRANSFER_ERROR
    )
  }

  #writeFetched (command: Command, namespace: Namespace): Outcome {
    const pending = namespace.backend.write(startingBlock(command), command.lease)
    if (pending === undefined) return this.#written(command, namespace)
    command.isInBackEnd = true
    return pending.then(() => {
      command.isInBackEnd = false
      return this.#written(command, namespace)
    })
  }

  #written (command: Command, namespace: Namespace): Outcome {
    const status = committed(command.lease.commit())
    if (status === Status.SUCCESS) return this.#settled(command, namespace)
    if (typeof status === 'number') return status
    return status.then(ended => ended === Status.SUCCESS ? this.#settled(command, namespace) : ended)
  }

  /** What is left to do needs no guest memory, so an unmap need not wait for it. */
  #settled (command: Command, namespace: Namespace): Outcome {
    command.lease.close()
    return settled(this.#surroundings, command, namespace)
  }
}
