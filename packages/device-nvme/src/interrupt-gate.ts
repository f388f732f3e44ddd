import type { Interrupts } from '@pcikit/core'
import type { CompletionQueue } from './queues/completion-queue.js'

/**
 * Turns completions into interrupts, as the mode in force has them. [NVMe-PCIe] "Interrupts".
 *
 * - MSI-X: one message for each turn that published something. INTMS and INTMC do not apply.
 * - MSI: the same, unless the vector is masked; one that was masked is sent when the mask is lifted and the host has
 *   not consumed the completions.
 * - INTx: asserted while a queue with interrupts holds something that the host has not consumed.
 */
export class InterruptGate {
  readonly #interrupts: Interrupts
  readonly #queues: readonly CompletionQueue[]
  #mask = 0
  #raised = 0
  #isAsserted = false

  constructor (interrupts: Interrupts, queues: readonly CompletionQueue[]) {
    this.#interrupts = interrupts
    this.#queues = queues
  }

  /** What INTMS and INTMC read as. */
  get mask (): number {
    return this.#mask
  }

  /** Whether the level of the pin follows what the host consumes from this queue. */
  isLevel (queue: CompletionQueue): boolean {
    return queue.hasInterrupts && this.#interrupts.mode === 'intx'
  }

  /** Completions were published. */
  notify (queue: CompletionQueue): void {
    if (!queue.hasInterrupts) return
    this.#level(queue)
    const mode = this.#interrupts.mode
    if (mode === 'msix') this.#interrupts.trigger(queue.vector)
    else if (mode === 'msi') this.#sendMsi(queue)
    else this.#update()
  }

  /** The host moved the head of a queue. */
  consumed (queue: CompletionQueue): void {
    if (!queue.hasInterrupts) return
    this.#level(queue)
    if (this.#isAsserted) this.#update()
  }

  /** A queue is gone. */
  forget (queue: CompletionQueue): void {
    if (!queue.isRaised) return
    queue.isRaised = false
    this.#raised--
    if (this.#isAsserted) this.#update()
  }

  /** INTMS: bits that are set mask their vector. */
  setMask (vectors: number): void {
    this.#mask = (this.#mask | vectors) >>> 0
    this.#update()
  }

  /** INTMC: bits that are set lift the mask of their vector. */
  clearMask (vectors: number): void {
    const lifted = this.#mask & vectors
    this.#mask = (this.#mask & ~vectors) >>> 0
    this.#update()
    if (this.#interrupts.mode !== 'msi' || lifted === 0) return
    for (const queue of this.#queues) {
      if (queue.hasInterrupts && queue.used > 0 && (lifted & this.#bit(queue)) !== 0) this.#sendMsi(queue)
    }
  }

  /** Lifts every mask and lowers the pin; the queues are gone. */
  reset (): void {
    this.#mask = 0
    this.#raised = 0
    this.#update()
  }

  #level (queue: CompletionQueue): void {
    const isRaised = queue.used > 0
    if (queue.isRaised === isRaised) return
    queue.isRaised = isRaised
    this.#raised += isRaised ? 1 : -1
  }

  /** With the pin every queue uses vector 0. */
  #update (): void {
    const isAsserted = this.#raised > 0 && (this.#mask & 1) === 0 && this.#interrupts.mode === 'intx'
    if (isAsserted === this.#isAsserted) return
    this.#isAsserted = isAsserted
    this.#interrupts.setIntx(isAsserted)
  }

  #sendMsi (queue: CompletionQueue): void {
    if ((this.#mask & this.#bit(queue)) === 0) this.#interrupts.trigger(this.#msiVector(queue))
  }

  #bit (queue: CompletionQueue): number {
    return 1 << this.#msiVector(queue)
  }

  /** The host may allot fewer messages than the function offers. */
  #msiVector (queue: CompletionQueue): number {
    return queue.vector < this.#interrupts.vectorCount ? queue.vector : 0
  }
}
