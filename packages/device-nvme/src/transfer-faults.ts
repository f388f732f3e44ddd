import type { DmaSpace, Subscription } from '@pcikit/core'
import type { Command } from './command.js'

/**
 * For the fault policy `fatal`: tells apart transfers that found no memory, which stop the controller, from those that
 * bus mastering was switched off under, which do not.
 */
export class TransferFaults {
  readonly #dma: DmaSpace
  readonly #onFault: () => void
  readonly #switched: Subscription
  /** How often bus mastering was seen to go off. */
  #losses = 0

  constructor (dma: DmaSpace, onFault: () => void) {
    this.#dma = dma
    this.#onFault = onFault
    this.#switched = dma.onUnmap(() => {
      if (!dma.isBusMaster) this.#losses++
    })
  }

  /** The command is about to be executed. */
  begin (command: Command): void {
    command.busMasterMark = this.#dma.isBusMaster ? this.#losses : undefined
  }

  /** The command's data were not transferred. Of commands from before a reset nothing is told. */
  failed (command: Command): void {
    const wasBusMaster = this.#dma.isBusMaster && command.busMasterMark === this.#losses
    if (wasBusMaster && command.queue?.isOpen === true) this.#onFault()
  }

  close (): void {
    this.#switched.close()
  }
}
