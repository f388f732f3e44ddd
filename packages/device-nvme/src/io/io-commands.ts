import type { Command } from '../command.js'
import type { Namespaces } from '../namespace.js'
import { IoOpcode, NSID_ALL } from '../opcodes.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { compare } from './compare.js'
import { manageDataset } from './dataset-management.js'
import type { IoSurroundings } from './io-surroundings.js'
import { flushNamespace, writeZeroes } from './media.js'
import { ReadWrite } from './read-write.js'

/** The NVM Command Set. [NVMe-NVM] "I/O Commands". */
export class IoCommands {
  readonly #surroundings: IoSurroundings
  readonly #namespaces: Namespaces
  readonly #readWrite: ReadWrite

  constructor (surroundings: IoSurroundings, namespaces: Namespaces) {
    this.#surroundings = surroundings
    this.#namespaces = namespaces
    this.#readWrite = new ReadWrite(surroundings)
  }

  execute (command: Command): Outcome {
    const namespace = this.#namespaces.get(command.nsid)
    switch (command.opcode) {
      case IoOpcode.READ:
        return namespace === undefined ? this.#noNamespace(command) : this.#readWrite.read(command, namespace)
      case IoOpcode.WRITE:
        return namespace === undefined ? this.#noNamespace(command) : this.#readWrite.write(command, namespace)
      case IoOpcode.FLUSH:
        if (command.nsid === NSID_ALL) return this.flushAll()
        return namespace === undefined ? this.#noNamespace(command) : flushNamespace(namespace)
      case IoOpcode.WRITE_ZEROES:
        if (namespace === undefined) return this.#noNamespace(command)
        return writeZeroes(this.#surroundings, command, namespace)
      case IoOpcode.COMPARE:
        return namespace === undefined ? this.#noNamespace(command) : compare(this.#surroundings, command, namespace)
      case IoOpcode.DATASET_MANAGEMENT:
        if (namespace === undefined) return this.#noNamespace(command)
        return manageDataset(this.#surroundings, command, namespace)
      default:
        return Status.INVALID_OPCODE
    }
  }

  /** Makes everything written so far durable, in every namespace. */
  flushAll (): Outcome {
    const late: Promise<Status>[] = []
    for (const namespace of this.#namespaces) {
      const outcome = flushNamespace(namespace)
      if (typeof outcome !== 'number') late.push(outcome)
    }
    return late.length === 0 ? Status.SUCCESS : Promise.all(late).then(() => Status.SUCCESS)
  }

  /**
   * [NVMe-Base] "Valid and Invalid NSIDs": "Invalid Field in Command" for an inactive one, else "Invalid Namespace".
   */
  #noNamespace (command: Command): Status {
    return this.#namespaces.isValid(command.nsid) ? Status.INVALID_FIELD : Status.INVALID_NAMESPACE
  }
}
