import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaPeek } from '@pcikit/core'
import type { Command } from '../command.js'
import type { Namespace } from '../namespace.js'
import type { PrpMapper } from '../prp.js'
import { startingBlock } from './block-range.js'

/**
 * Moves the data of commands that are over before anything else can happen: one page at most, in memory that is mapped
 * already, and a back end that answers at once. No memory can be taken away meanwhile, so no lease is needed.
 *
 * False says nothing, not even that no data was moved: with a lease it is done again, and known what is wrong.
 */
export class DirectTransfer {
  readonly #prps: PrpMapper
  readonly #peek: DmaPeek | undefined

  /** Without a `peek` every command has a lease. */
  constructor (prps: PrpMapper, peek: DmaPeek | undefined) {
    this.#prps = prps
    this.#peek = peek
  }

  /** The data of a Read command. */
  read (command: Command, namespace: Namespace, byteLength: number): boolean {
    const { backend } = namespace
    if (backend.tryRead === undefined) return false
    const peek = this.#locate(command, byteLength, DmaAccess.WRITE)
    if (peek === undefined) return false
    const isDone = backend.tryRead(startingBlock(command), peek.bytes, peek.position, byteLength)
    return isDone && peek.commit() === DmaFault.NONE
  }

  /** The data of a Write command. */
  write (command: Command, namespace: Namespace, byteLength: number): boolean {
    const { backend } = namespace
    if (backend.tryWrite === undefined) return false
    const peek = this.#locate(command, byteLength, DmaAccess.READ)
    if (peek === undefined) return false
    const isDone = backend.tryWrite(startingBlock(command), peek.bytes, peek.position, byteLength)
    return isDone && peek.commit() === DmaFault.NONE
  }

  #locate (command: Command, byteLength: number, access: DmaAccess): DmaPeek | undefined {
    const peek = this.#peek
    if (peek === undefined || !this.#prps.isWithinPage(command, byteLength)) return undefined
    return peek.locate(command.prp1, byteLength, access) ? peek : undefined
  }
}
