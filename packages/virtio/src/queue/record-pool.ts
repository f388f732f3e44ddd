import type { DmaPeek, DmaSpace } from '@pcikit/core'
import { ChainRecord } from './chain-record.js'
import type { RecordOwner } from './chain-record.js'

/** Recycles the records of a queue. It grows to the largest number that were ever in use at once. */
export class RecordPool {
  /** Records taken and not given back. */
  inUse = 0
  readonly #dma: DmaSpace
  /** One for all records: what it finds is used at once. */
  readonly #peek: DmaPeek | undefined
  readonly #recordsMax: number
  readonly #owner: RecordOwner
  readonly #records: ChainRecord[] = []
  #free: ChainRecord | undefined = undefined

  constructor (dma: DmaSpace, recordsMax: number, owner: RecordOwner) {
    this.#dma = dma
    this.#peek = dma.createPeek?.()
    this.#recordsMax = recordsMax
    this.#owner = owner
  }

  /** The record that {@link take} takes. Undefined: all are in use. */
  peek (): ChainRecord | undefined {
    if (this.#free !== undefined || this.#records.length === this.#recordsMax) return this.#free
    this.#free = new ChainRecord(this.#dma, this.#peek, this.#records.length, this.#owner)
    this.#records.push(this.#free)
    return this.#free
  }

  /** Takes the record that was looked at last. */
  take (record: ChainRecord): void {
    this.#free = record.next
    record.next = undefined
    record.isTaken = true
    record.isLive = true
    this.inUse++
  }

  giveBack (record: ChainRecord): void {
    record.isTaken = false
    record.isLive = false
    record.next = this.#free
    this.#free = record
    this.inUse--
  }

  /** Nothing of what is in use reaches guest memory any more. */
  retireAll (): void {
    for (const record of this.#records) record.isLive = false
  }
}
