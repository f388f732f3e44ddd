import type { IrqTrigger } from '@pcikit/core'

/** Reasons for a vector to be held back, as bits. */
const BY_CLIENT = 1
const BY_GUEST = 2

/**
 * The vectors of MSI or of MSI-X: who is told, what is masked, what is pending.
 *
 *     raise ──► open, trigger assigned, no mask? ──► signal
 *                 │ no
 *                 ▼
 *              pending ──► signalled once as soon as all three hold
 *
 * A vector without a trigger counts as masked. QEMU, for one, assigns a trigger only when the guest unmasks the vector
 * for the first time, so what was raised before must not be lost: [PCIe] "Per-vector Masking and Function Masking".
 */
export class VectorSet {
  readonly count: number
  /** Pending bits in words, vector 0 in the lowest bit of word 0: the layout of the PBA. */
  readonly pendingWords: Uint32Array
  readonly #triggers: (IrqTrigger | undefined)[]
  readonly #held: Uint8Array
  #isOpen = false
  #assignedCount = 0
  #pendingCount = 0

  constructor (count: number) {
    this.count = count
    this.pendingWords = new Uint32Array(Math.ceil(count / 64) * 2)
    this.#triggers = new Array<IrqTrigger | undefined>(count).fill(undefined)
    this.#held = new Uint8Array(count)
  }

  /** Whether the client assigned a trigger to any vector. */
  get isAssigned (): boolean {
    return this.#assignedCount > 0
  }

  get pendingCount (): number {
    return this.#pendingCount
  }

  /** Sends the message of a vector, or keeps it pending. A vector that does not exist is ignored. */
  raise (vector: number): void {
    if (vector < 0 || vector >= this.count) return
    const trigger = this.#triggers[vector]
    if (trigger !== undefined && this.#isOpen && this.#held[vector] === 0) trigger.signal()
    else this.#setPending(vector)
  }

  /** Signals without asking what the guest masked: for tests of the client. */
  loopBack (vector: number): void {
    this.#triggers[vector]?.signal()
  }

  /** Opens or closes all vectors at once: Bus Master Enable, power state, function mask. */
  setOpen (isOpen: boolean): void {
    this.#isOpen = isOpen
    if (isOpen) this.#flush(0, this.count)
  }

  assign (start: number, triggers: readonly (IrqTrigger | undefined)[]): void {
    for (const [position, trigger] of triggers.entries()) {
      const vector = start + position
      const previous = this.#triggers[vector]
      if (previous !== trigger) previous?.close()
      this.#assignedCount += (trigger === undefined ? 0 : 1) - (previous === undefined ? 0 : 1)
      this.#triggers[vector] = trigger
    }
    this.#flush(start, triggers.length)
  }

  setClientMask (start: number, count: number, isMasked: boolean): void {
    this.#hold(BY_CLIENT, start, count, isMasked)
  }

  setGuestMask (start: number, count: number, isMasked: boolean): void {
    this.#hold(BY_GUEST, start, count, isMasked)
  }

  /** The client is gone: closes all triggers and lifts its masks. What is pending stays so. */
  release (): void {
    for (const trigger of this.#triggers) trigger?.close()
    this.#triggers.fill(undefined)
    this.#assignedCount = 0
    this.#hold(BY_CLIENT, 0, this.count, false)
  }

  /** Forgets what is pending. */
  clearPending (): void {
    this.pendingWords.fill(0)
    this.#pendingCount = 0
  }

  /** Takes over pending bits, as far as there are vectors for them. They are signalled once they can be. */
  restorePending (words: readonly number[]): void {
    this.clearPending()
    for (let vector = 0; vector < this.count; vector++) {
      if (((words[vector >>> 5] ?? 0) >>> (vector & 31) & 1) !== 0) this.#setPending(vector)
    }
  }

  #hold (reason: number, start: number, count: number, isHeld: boolean): void {
    for (let vector = start; vector < start + count; vector++) {
      const held = this.#held[vector]!
      this.#held[vector] = isHeld ? held | reason : held & ~reason
    }
    if (!isHeld) this.#flush(start, count)
  }

  #flush (start: number, count: number): void {
    if (this.#pendingCount === 0 || !this.#isOpen) return
    for (let vector = start; vector < start + count; vector++) {
      const trigger = this.#triggers[vector]
      const bit = 1 << (vector & 31)
      const word = this.pendingWords[vector >>> 5]!
      if ((word & bit) === 0 || trigger === undefined || this.#held[vector] !== 0) continue
      this.pendingWords[vector >>> 5] = word & ~bit
      this.#pendingCount--
      trigger.signal()
    }
  }

  #setPending (vector: number): void {
    const word = this.pendingWords[vector >>> 5]!
    const bit = 1 << (vector & 31)
    if ((word & bit) !== 0) return
    this.pendingWords[vector >>> 5] = word | bit
    this.#pendingCount++
  }
}
