import { InterruptModeration } from '@pcikit/core'
import type { AskedModeration } from '@pcikit/core'
import type { Features } from './features.js'
import type { InterruptGate } from './interrupt-gate.js'
import type { CompletionQueue } from './queues/completion-queue.js'

/** Units of the Aggregation Time. [NVMe-Base] "Interrupt Coalescing". */
const AGGREGATION_UNIT_MS = 0.1

/** What moderation of completion queues works with. */
export interface CompletionModerationSurroundings {
  readonly gate: InterruptGate
  /** False: only what the host asks for. */
  readonly isAdaptive: boolean
  readonly features: Pick<Features, 'interruptCoalescing' | 'isCoalescingDisabled'>
  /** Takes what the host consumed without ringing. */
  lookAtHead(queue: CompletionQueue): void
  /** Something is held from now on. */
  onHold(): void
}

/** Spares the host interrupts, by its own rules where it has set some. [NVMe-Base] "Interrupt Coalescing". */
export function moderateCompletions (
  surroundings: CompletionModerationSurroundings
): InterruptModeration<CompletionQueue> {
  const { gate, isAdaptive, features } = surroundings
  return new InterruptModeration({
    asked: new Coalescing(features),
    // Interrupt Coalescing is for I/O queues. The pin has a level, and nothing to be sent.
    isModerated: queue =>
      queue.id !== 0 && queue.hasInterrupts && !gate.isLevel(queue) &&
      (isAdaptive || features.interruptCoalescing !== 0) && !features.isCoalescingDisabled(queue.vector),
    send: queue => gate.notify(queue),
    lookAtHead: queue => surroundings.lookAtHead(queue),
    onHold: () => surroundings.onHold()
  })
}

/** What the host asked for: Aggregation Threshold, and Aggregation Time, which runs from the first completion on. */
class Coalescing implements AskedModeration {
  readonly #features: Pick<Features, 'interruptCoalescing'>

  constructor (features: Pick<Features, 'interruptCoalescing'>) {
    this.#features = features
  }

  get isAsked (): boolean {
    return this.#features.interruptCoalescing !== 0
  }

  get most (): number {
    return this.#features.interruptCoalescing & 0xff
  }

  get timeMs (): number {
    return (this.#features.interruptCoalescing >>> 8) * AGGREGATION_UNIT_MS
  }
}
