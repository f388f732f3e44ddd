import type { GuestMemory } from '../guest/guest-memory.js'
import type { Doorbells } from './doorbells.js'
import { DOORBELL_BASE } from './layouts.js'

const ENTRY_BYTES = 4
/** Both doorbells of the admin queues. */
const ADMIN_BYTES = 2 * ENTRY_BYTES

/** Where the buffers of Doorbell Buffer Config are. */
export interface DoorbellBuffers {
  readonly shadowIova: number
  readonly eventsIova: number
  /** Whether the admin queues use them as well. Linux does not do that; the specification has it so. */
  readonly forAdmin: boolean
}

/**
 * Doorbells that are written to memory, and to the controller only where it asked for it. [NVMe-Base] "Updating
 * Controller Doorbell Properties using a Shadow Doorbell Buffer". Without buffers they are those of the controller.
 */
export class ShadowedDoorbells implements Doorbells {
  readonly #registers: Doorbells
  readonly #memory: GuestMemory
  #buffers: DoorbellBuffers | undefined
  /** How often a doorbell was rung, in whatever way. */
  ringCount = 0
  /** How often that was a write to the controller. */
  registerCount = 0

  constructor (registers: Doorbells, memory: GuestMemory) {
    this.#registers = registers
    this.#memory = memory
  }

  /** From now on doorbells are in these buffers, or not any more. */
  set buffers (buffers: DoorbellBuffers | undefined) {
    this.#buffers = buffers
  }

  ring (offset: number, value: number): Promise<void> | void {
    this.ringCount++
    if (!this.#isDue(offset - DOORBELL_BASE, value)) return
    this.registerCount++
    return this.#registers.ring(offset, value)
  }

  close (): void {
    this.#registers.close()
  }

  /** Writes the entry, and then looks whether the controller wants to be told. */
  #isDue (at: number, value: number): boolean {
    const buffers = this.#buffers
    if (buffers === undefined || (at < ADMIN_BYTES && !buffers.forAdmin)) return true
    const shadow = this.#memory.locate(buffers.shadowIova + at, ENTRY_BYTES)
    const before = Atomics.exchange(shadow.file.words, shadow.position >>> 2, value)
    const events = this.#memory.locate(buffers.eventsIova + at, ENTRY_BYTES)
    const event = Atomics.load(events.file.words, events.position >>> 2)
    return hasPassed(event, before, value)
  }
}

/** Whether a doorbell went past an event index, over the end of the queue too. All are 16 bits wide. */
function hasPassed (event: number, before: number, after: number): boolean {
  return ((after - event - 1) & 0xffff) < ((after - before) & 0xffff)
}
