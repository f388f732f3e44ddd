import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaLease, DmaSpace } from '@pcikit/core'

/** Where the engine's buffer is, as DMA addresses have it: no other register or memory of the device is one. */
export const BUFFER_OFFSET = 0x40000
const BUFFER_BYTES = 4096
/** What is read where nobody answers. */
const ONES = 0xff

/** One transfer, as the driver programmed it. */
export interface Transfer {
  readonly toMemory: boolean
  readonly iova: number
  /** From the start of the engine's buffer, in bytes. */
  readonly bufferOffset: number
  readonly byteLength: number
}

/** Moves bytes between guest memory and a buffer of the device, one transfer at a time. */
export class DmaEngine {
  readonly #dma: DmaSpace
  readonly #buffer = new Uint8Array(BUFFER_BYTES)
  /** Of the transfer that runs or comes next. It is closed in between, so nothing of the guest is held. */
  #lease: DmaLease

  constructor (dma: DmaSpace) {
    this.#dma = dma
    this.#lease = dma.createLease()
  }

  /** Whether all of a transfer lies in the buffer. */
  static fits ({ bufferOffset, byteLength }: Transfer): boolean {
    return bufferOffset >= 0 && bufferOffset < BUFFER_BYTES && byteLength <= BUFFER_BYTES - bufferOffset
  }

  /**
   * Carries a transfer out, or says why not. What cannot be read becomes ones and what cannot be written is lost, as on
   * a bus where nobody answers. The one before has to be over, or forgotten in a reset.
   */
  async run (transfer: Transfer): Promise<DmaFault> {
    const lease = this.#lease
    const bytes = this.#buffer.subarray(transfer.bufferOffset, transfer.bufferOffset + transfer.byteLength)
    lease.open(transfer.toMemory ? DmaAccess.WRITE : DmaAccess.READ)
    try {
      const fault = await this.#move(lease, transfer, bytes)
      if (fault !== DmaFault.NONE && !transfer.toMemory && this.#isCurrent(lease)) bytes.fill(ONES)
      return fault
    } finally {
      lease.close()
    }
  }

  /** What is in the buffer. */
  get contents (): Uint8Array {
    return this.#buffer
  }

  set contents (bytes: Uint8Array) {
    this.#buffer.set(bytes)
  }

  /** Clears the buffer. A transfer that runs changes nothing of the device any more; its lease closes by itself. */
  reset (): void {
    if (this.#lease.isOpen) this.#lease = this.#dma.createLease()
    this.#buffer.fill(0)
  }

  async #move (lease: DmaLease, transfer: Transfer, bytes: Uint8Array): Promise<DmaFault> {
    const fault = lease.append(transfer.iova, transfer.byteLength)
    if (fault !== DmaFault.NONE) return fault
    if (transfer.toMemory) {
      copyToPieces(bytes, lease)
      return lease.commit()
    }
    const fetched = await lease.fetch()
    if (fetched !== DmaFault.NONE) return fetched
    if (!this.#isCurrent(lease)) return DmaFault.REVOKED
    copyFromPieces(lease, bytes)
    return lease.commit()
  }

  /** A reset may have come while the memory was asked for. */
  #isCurrent (lease: DmaLease): boolean {
    return lease === this.#lease
  }
}

function copyToPieces (source: Uint8Array, lease: DmaLease): void {
  let done = 0
  for (let index = 0; index < lease.segmentCount; index++) {
    const length = lease.lengthAt(index)
    lease.bytesAt(index).set(source.subarray(done, done + length), lease.offsetAt(index))
    done += length
  }
}

function copyFromPieces (lease: DmaLease, target: Uint8Array): void {
  let done = 0
  for (let index = 0; index < lease.segmentCount; index++) {
    const offset = lease.offsetAt(index)
    const length = lease.lengthAt(index)
    target.set(lease.bytesAt(index).subarray(offset, offset + length), done)
    done += length
  }
}
