import { DmaFault } from '../dma.js'
import type { DmaAccess, DmaLease, DmaListener, DmaPeek, DmaSpace, DmaWindow } from '../dma.js'
import type { Subscription } from '../subscription.js'
import type { BusMasterGate } from './bus-master-gate.js'

/**
 * Guest memory as one code of a device sees it: as with bus mastering off while its gate is closed. What it subscribed
 * to ends with it; the memory itself, which is the client's, stays for the code that follows.
 */
export class GatedDma implements DmaSpace {
  readonly createPeek?: () => DmaPeek
  readonly #dma: DmaSpace
  readonly #gate: BusMasterGate
  readonly #subscriptions = new Set<Subscription>()

  constructor (dma: DmaSpace, gate: BusMasterGate) {
    this.#dma = dma
    this.#gate = gate
    if (dma.createPeek !== undefined) this.createPeek = dma.createPeek.bind(dma)
  }

  get isBusMaster (): boolean {
    return this.#gate.isOpen && this.#dma.isBusMaster
  }

  createLease (): DmaLease {
    return this.#dma.createLease()
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return this.#dma.openWindow(iova, byteLength, access)
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#gate.isOpen ? this.#dma.read(iova, target) : DmaFault.BUS_MASTER_OFF
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#gate.isOpen ? this.#dma.write(iova, source) : DmaFault.BUS_MASTER_OFF
  }

  onMap (listener: DmaListener): Subscription {
    return this.#subscribe(this.#dma.onMap((iova, byteLength) => {
      if (this.#gate.isOpen) listener(iova, byteLength)
    }))
  }

  /** Told while the gate is closed too: what is gone is gone. */
  onUnmap (listener: DmaListener): Subscription {
    return this.#subscribe(this.#dma.onUnmap(listener))
  }

  drain (): Promise<void> {
    return this.#dma.drain()
  }

  /** Ends every subscription. */
  close (): void {
    for (const subscription of this.#subscriptions) subscription.close()
    this.#subscriptions.clear()
  }

  #subscribe (subscription: Subscription): Subscription {
    this.#subscriptions.add(subscription)
    return {
      close: () => {
        this.#subscriptions.delete(subscription)
        subscription.close()
      }
    }
  }
}
