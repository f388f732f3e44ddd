import type { DmaSpace, Subscription } from '@pcikit/core'
import type { ChainRecord } from './chain-record.js'

/**
 * For the fault policy `fatal`: tells apart buffers without memory behind them, which stop the device, from those that
 * bus mastering was switched off under, which do not.
 */
export class DataFaults {
  readonly #dma: DmaSpace
  readonly #onFault: (record: ChainRecord) => void
  readonly #switched: Subscription
  /** How often bus mastering was seen to go off. */
  #losses = 0

  constructor (dma: DmaSpace, onFault: (record: ChainRecord) => void) {
    this.#dma = dma
    this.#onFault = onFault
    this.#switched = dma.onUnmap(() => {
      if (!dma.isBusMaster) this.#losses++
    })
  }

  /** The chain is handed out. */
  begin (record: ChainRecord): void {
    record.busMasterMark = this.#dma.isBusMaster ? this.#losses : undefined
  }

  /** Memory of the chain could not be reached. */
  note (record: ChainRecord): void {
    const wasBusMaster = this.#dma.isBusMaster && record.busMasterMark === this.#losses
    if (wasBusMaster && record.isLive) this.#onFault(record)
  }

  close (): void {
    this.#switched.close()
  }
}
