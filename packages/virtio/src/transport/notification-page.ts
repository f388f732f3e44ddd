import type { RegionMemory, SharedMemory } from '@pcikit/core'
import { NOTIFY_AT } from './bar-layout.js'

/**
 * The notification structure as memory that the client maps, so that notifying costs the driver nothing. Queues are
 * polled then, and nobody looks at what was written. What comes as a message all the same is stored too.
 */
export class NotificationPage {
  readonly #memory: SharedMemory
  readonly #view: DataView

  /** `memory` goes to the end of the structure: a client maps an area at the offset that it has in the BAR. */
  constructor (memory: SharedMemory) {
    this.#memory = memory
    const { buffer, byteOffset, byteLength } = memory.bytes
    this.#view = new DataView(buffer, byteOffset + NOTIFY_AT, byteLength - NOTIFY_AT)
  }

  /** What the BAR gives to clients. */
  get mappable (): RegionMemory {
    const areas = [{ offset: NOTIFY_AT, byteLength: this.#view.byteLength }]
    return { descriptor: this.#memory.descriptor, fileOffset: 0, areas }
  }

  /** Beyond the structure reads as zero. */
  read (offset: number, size: 1 | 2 | 4): number {
    if (offset + size > this.#view.byteLength) return 0
    if (size === 4) return this.#view.getUint32(offset, true)
    return size === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint8(offset)
  }

  store (offset: number, value: number): void {
    if (offset + 4 <= this.#view.byteLength) this.#view.setUint32(offset, value, true)
  }

  close (): void {
    this.#memory.close()
  }
}
