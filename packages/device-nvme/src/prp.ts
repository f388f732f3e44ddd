import { DmaFault } from '@pcikit/core'
import type { DmaAccess, DmaSpace } from '@pcikit/core'
import type { Command } from './command.js'
import { offsetInPage, PrpList } from './prp-list.js'
import { Status } from './status.js'
import type { Outcome } from './status.js'

/**
 * Resolves the data pointer of commands: PRP Entry 1, PRP Entry 2, and PRP lists chained over pages.
 * [NVMe-Base] "Physical Region Page Entry and List", "Data Pointer".
 *
 * ```
 *   PRP1 ─► page + offset      at most two pages: PRP2 ─► page
 *                              more:  PRP2 ─► list [+ offset] ─► pages …, last entry ─► next list ─► pages …
 * ```
 */
export class PrpMapper {
  readonly #dma: DmaSpace
  readonly #lists: PrpList[] = []
  #pageBytes = 4096

  constructor (dma: DmaSpace) {
    this.#dma = dma
  }

  /** Bytes of a memory page, as CC.MPS says. */
  get pageBytes (): number {
    return this.#pageBytes
  }

  set pageBytes (value: number) {
    this.#pageBytes = value
  }

  /** Whether the data of a command lies in the page of PRP Entry 1. */
  isWithinPage (command: Command, byteLength: number): boolean {
    const offset = offsetInPage(command.prp1, this.#pageBytes)
    return (offset & 3) === 0 && offset + byteLength <= this.#pageBytes
  }

  /**
   * Opens the command's lease over its data. The lease stays open whatever comes of it; whoever completes the command
   * closes it. A promise means that a PRP list has to be fetched by message.
   */
  map (command: Command, byteLength: number, access: DmaAccess): Outcome {
    const lease = command.lease
    const pageBytes = this.#pageBytes
    lease.open(access)
    const offset = offsetInPage(command.prp1, pageBytes)
    if ((offset & 3) !== 0) return Status.PRP_OFFSET_INVALID
    const first = Math.min(byteLength, pageBytes - offset)
    if (lease.append(command.prp1, first) !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
    return first === byteLength ? Status.SUCCESS : this.#mapRest(command, byteLength - first)
  }

  /** What PRP Entry 2 says. On its own, because the shorter the way of one page is, the more of it is one function. */
  #mapRest (command: Command, remaining: number): Outcome {
    const pageBytes = this.#pageBytes
    // A zero here is a driver that gave too little memory. Address 0 is memory, and must not be taken for the buffer.
    if (command.prp2 === 0) return Status.INVALID_FIELD
    if (remaining > pageBytes) return this.#mapList(command, remaining)
    if (offsetInPage(command.prp2, pageBytes) !== 0) return Status.PRP_OFFSET_INVALID
    return command.lease.append(command.prp2, remaining) === DmaFault.NONE ? Status.SUCCESS : Status.DATA_TRANSFER_ERROR
  }

  #mapList (command: Command, byteLength: number): Outcome {
    if ((command.prp2 & 7) !== 0) return Status.PRP_OFFSET_INVALID
    const list = this.#lists.pop() ?? new PrpList()
    list.begin(command.lease, command.prp2, byteLength, this.#pageBytes)
    const status = this.#walk(list)
    if (typeof status !== 'number') return status.finally(() => this.#lists.push(list))
    this.#lists.push(list)
    return status
  }

  /** Ends: each page of a list after the first describes at least one page of data, and transfers are bounded. */
  #walk (list: PrpList): Outcome {
    for (;;) {
      const fault = this.#dma.read(list.iova, list.nextChunk())
      if (typeof fault !== 'number') return this.#walkOn(list, fault)
      if (fault !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
      const status = list.consume()
      if (status !== undefined) return status
    }
  }

  async #walkOn (list: PrpList, reading: Promise<DmaFault>): Promise<Status> {
    if (await reading !== DmaFault.NONE) return Status.DATA_TRANSFER_ERROR
    return list.consume() ?? this.#walk(list)
  }
}
