import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaSpace, DmaWindow } from '@pcikit/core'

const ENTRY_BYTES = 4

/**
 * The two buffers of Doorbell Buffer Config, found anew for each access: the host writes what its doorbells would be to
 * one, and the controller writes to the other when it wants to be told. Entries have the numbers of the doorbells.
 * [NVMe-Base] "Doorbell Buffer Config command".
 */
export class ShadowBuffers {
  readonly #dma: DmaSpace
  readonly #shadow: DmaWindow
  readonly #events: DmaWindow
  /** What the last `load` found. */
  value = 0
  /** Why the last `load` found nothing. NONE where it did, or where the client has to be asked. See {@link ask}. */
  fault: DmaFault = DmaFault.NONE

  constructor (dma: DmaSpace, shadowIova: number, eventsIova: number, entries: number) {
    this.#dma = dma
    this.#shadow = dma.openWindow(shadowIova, entries * ENTRY_BYTES, DmaAccess.READ)
    this.#events = dma.openWindow(eventsIova, entries * ENTRY_BYTES, DmaAccess.WRITE)
  }

  get shadowIova (): number {
    return this.#shadow.iova
  }

  get eventsIova (): number {
    return this.#events.iova
  }

  /** Reads an entry of the host's. False: see `fault`. */
  load (number: number): boolean {
    const window = this.#shadow
    const isFound = window.locate(number * ENTRY_BYTES, ENTRY_BYTES)
    this.fault = window.fault
    if (!isFound) return false
    this.value = Atomics.load(window.words, window.position >>> 2)
    return true
  }

  /**
   * Writes an entry of the controller's, before anything that is read afterwards. False where it cannot be reached, or
   * not without the client.
   */
  store (number: number, event: number): boolean {
    const window = this.#events
    if (!window.locate(number * ENTRY_BYTES, ENTRY_BYTES)) return false
    Atomics.store(window.words, window.position >>> 2, event)
    return true
  }

  /** Writes an entry of the controller's and then reads the host's, by message. Undefined where either fails. */
  async ask (number: number, event: number): Promise<number | undefined> {
    const bytes = new Uint8Array(ENTRY_BYTES)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, event, true)
    const written = await this.#dma.write(this.#events.iova + number * ENTRY_BYTES, bytes)
    const read = await this.#dma.read(this.#shadow.iova + number * ENTRY_BYTES, bytes)
    return written === DmaFault.NONE && read === DmaFault.NONE ? view.getUint32(0, true) : undefined
  }

  close (): void {
    this.#shadow.close()
    this.#events.close()
  }
}
