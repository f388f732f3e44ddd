import type { Interrupts } from '@pcikit/core'
import { bits } from '@pcikit/wire'

/** The vector of what is not to interrupt. [virtio] "MSI-X Vector Configuration". */
export const NO_VECTOR = 0xffff

/** [virtio] "ISR status capability". */
export const Isr = Object.freeze({ QUEUE: bits(0), CONFIG: bits(1) })

/**
 * Interrupts as virtio has them: by MSI-X each queue and the configuration have a vector of their choice, by INTx they
 * share the pin, and a register tells why. [virtio] "Used Buffer Notifications", "ISR status capability".
 */
export class InterruptSender {
  readonly #interrupts: Interrupts
  readonly #vectorCount: number
  readonly #queueVectors: Uint16Array
  #configVector = NO_VECTOR
  #isr = 0

  /** `vectorCount` is the size of the MSI-X table, 0 where there is none. */
  constructor (interrupts: Interrupts, vectorCount: number, queueCount: number) {
    this.#interrupts = interrupts
    this.#vectorCount = vectorCount
    this.#queueVectors = new Uint16Array(queueCount).fill(NO_VECTOR)
  }

  get configVector (): number {
    return this.#configVector
  }

  /** A vector that there is not leaves NO_VECTOR, which tells the driver. */
  set configVector (vector: number) {
    this.#configVector = this.#existing(vector)
  }

  queueVector (queueIndex: number): number {
    return this.#queueVectors[queueIndex] ?? NO_VECTOR
  }

  setQueueVector (queueIndex: number, vector: number): void {
    this.#queueVectors[queueIndex] = this.#existing(vector)
  }

  /** A queue has used buffers that its driver wants to know of. */
  queueUsed (queueIndex: number): void {
    if (this.#interrupts.mode !== 'msix') {
      this.#setIsr(this.#isr | Isr.QUEUE.mask)
      return
    }
    const vector = this.#queueVectors[queueIndex]!
    if (vector !== NO_VECTOR) this.#interrupts.trigger(vector)
  }

  /** The configuration changed. The bit is set in any mode. */
  configChanged (): void {
    this.#setIsr(this.#isr | Isr.CONFIG.mask)
    if (this.#interrupts.mode === 'msix' && this.#configVector !== NO_VECTOR) {
      this.#interrupts.trigger(this.#configVector)
    }
  }

  /** The driver reads ISR status, which clears it and takes the pin back. */
  takeIsr (): number {
    const isr = this.#isr
    this.#setIsr(0)
    return isr
  }

  /** Nothing is due, and nothing has a vector. */
  reset (): void {
    this.#queueVectors.fill(NO_VECTOR)
    this.#configVector = NO_VECTOR
    this.#setIsr(0)
  }

  #setIsr (isr: number): void {
    if (isr === this.#isr) return
    this.#isr = isr
    this.#interrupts.setIntx(isr !== 0)
  }

  #existing (vector: number): number {
    return vector < this.#vectorCount ? vector : NO_VECTOR
  }
}
