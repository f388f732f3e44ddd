import { DmaFault, FaultPolicy } from '@pcikit/core'
import type { DmaSpace, Subscription } from '@pcikit/core'
import type { VirtqueueChain } from '@pcikit/virtio'
import { BlkStatus } from './protocol.js'

/** Each status as the byte that is written, so that a request allocates none. */
const BYTES: readonly Uint8Array[] = Object.values(BlkStatus).map(status => Uint8Array.of(status))

/** A chain that waits for the memory of its status byte. */
interface Waiting {
  readonly chain: VirtqueueChain
  readonly status: BlkStatus
  readonly written: number
}

/** What the status bytes are written with. */
export interface StatusByteParts {
  readonly dma: DmaSpace
  readonly faultPolicy: FaultPolicy
  /** How long a status byte may wait for its memory, in milliseconds, with fault policy `fault`. */
  readonly graceMs: number
  /** The device needs a reset. */
  fail(reason: string): void
}

/**
 * Gives chains back to the driver with their status, the last byte of the writable part, in place first.
 *
 * A driver that gets a buffer back without a status would take what was there before for it, perhaps a success. So a
 * chain whose status byte cannot be reached waits for its memory, as a used ring does: it may only be moving. While bus
 * mastering is off that is no fault.
 */
export class StatusBytes {
  readonly #parts: StatusByteParts
  readonly #mapped: Subscription
  /** Writes never fault. While bus mastering is off they would vanish, and the chain be given back when it is on. */
  readonly #isDropping: boolean
  #waiting: Waiting[] = []
  #retry: NodeJS.Immediate | undefined = undefined
  #grace: NodeJS.Timeout | undefined = undefined
  #isOpen = true

  constructor (parts: StatusByteParts) {
    this.#parts = parts
    this.#isDropping = parts.faultPolicy === FaultPolicy.DROP
    this.#mapped = parts.dma.onMap(() => this.#memoryCame())
  }

  /** How many chains wait for memory. */
  get waitingCount (): number {
    return this.#waiting.length
  }

  /** Ends a chain. `written` counts the bytes before the status. Of one that is not live nothing is told. */
  tell (chain: VirtqueueChain, status: BlkStatus, written: number): void {
    if (!chain.isLive || !this.#isOpen) {
      chain.complete(0)
      return
    }
    if (this.#isDropping && !this.#parts.dma.isBusMaster) {
      this.#wait({ chain, status, written })
      return
    }
    const { writable } = chain
    const place = writable.locate(writable.byteLength - 1, 1)
    if (place !== undefined) {
      place.view.setUint8(place.position, status)
      chain.complete(written + 1)
      return
    }
    const fault = writable.write(writable.byteLength - 1, BYTES[status]!)
    if (fault === DmaFault.NONE) chain.complete(written + 1)
    else if (typeof fault === 'number') this.#wait({ chain, status, written })
    else void fault.then(late => this.#told({ chain, status, written }, late))
  }

  /** The queues were reset: chains of before are not live, and are let go. */
  reset (): void {
    this.#again()
    if (this.#waiting.length === 0) this.#stopGrace()
  }

  /** The client is gone: nothing is missing while it is. */
  clientGone (): void {
    this.#stopGrace()
  }

  /** Lets go of all that wait. Nothing waits any more. */
  close (): void {
    this.#isOpen = false
    this.#mapped.close()
    this.#stopGrace()
    clearImmediate(this.#retry)
    this.#giveUp()
  }

  #told (told: Waiting, fault: DmaFault): void {
    if (fault === DmaFault.NONE) told.chain.complete(told.written + 1)
    else this.#wait(told)
  }

  #wait (waiting: Waiting): void {
    const { faultPolicy, graceMs, dma } = this.#parts
    this.#waiting.push(waiting)
    if (!this.#isOpen || !waiting.chain.isLive) this.#again()
    else if (!dma.isBusMaster) this.#stopGrace()
    else if (faultPolicy === FaultPolicy.FATAL) this.#expired()
    else if (faultPolicy === FaultPolicy.FAULT) this.#grace ??= setTimeout(() => this.#expired(), graceMs).unref()
  }

  /** Tells nothing to whom the status cannot be told. */
  #expired (): void {
    this.#stopGrace()
    // With bus mastering no memory is missing. It is tried again, and time runs anew, when it is back.
    if (!this.#parts.dma.isBusMaster || this.#waiting.length === 0) return
    this.#parts.fail('The memory of a status byte is not there.')
    this.#giveUp()
  }

  #giveUp (): void {
    for (const { chain } of this.#waiting.splice(0)) chain.complete(0)
  }

  #memoryCame (): void {
    if (this.#waiting.length === 0) return
    this.#retry ??= setImmediate(() => {
      this.#retry = undefined
      this.#again()
    })
  }

  #again (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { chain, status, written } of waiting) this.tell(chain, status, written)
    if (this.#waiting.length === 0) this.#stopGrace()
  }

  #stopGrace (): void {
    clearTimeout(this.#grace)
    this.#grace = undefined
  }
}
