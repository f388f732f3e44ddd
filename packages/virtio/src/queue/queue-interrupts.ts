import { InterruptModeration, NOTHING_ASKED } from '@pcikit/core'
import type { Clock } from '@pcikit/core'
import type { Virtqueue } from './virtqueue.js'

/** What interrupts of queues are sent with. */
export interface QueueInterruptPorts {
  /** Whether drivers that take buffers in bunches are interrupted once for a bunch. */
  readonly isAdaptive: boolean
  readonly interrupt: (queueIndex: number) => void
  /** An interrupt waits for a moment from now on. */
  readonly held: () => void
}

/** Interrupts that drivers want: sent at once, or, where it can be seen how far a driver has come, for a bunch. */
export class QueueInterrupts {
  readonly #moderation: InterruptModeration<Virtqueue>

  constructor ({ isAdaptive, interrupt, held }: QueueInterruptPorts) {
    this.#moderation = new InterruptModeration<Virtqueue>({
      asked: NOTHING_ASKED,
      isModerated: queue => isAdaptive && queue.untaken > 0,
      send: queue => interrupt(queue.queueIndex),
      lookAtHead: queue => {
        const taken = queue.ring?.followDriver() ?? 0
        if (taken > 0) this.#moderation.consumed(queue, taken)
      },
      onHold: held
    })
  }

  /** Whether there are interrupts to send that have to wait a moment. */
  get isHolding (): boolean {
    return this.#moderation.isHolding
  }

  /** Something was published, and the driver wants to be told. */
  send (queue: Virtqueue): void {
    const taken = queue.ring?.followDriver() ?? 0
    if (taken > 0) this.#moderation.took(queue, taken)
    this.#moderation.notify(queue)
  }

  /** Sends those that have waited long enough. */
  look (clock: Clock): void {
    this.#moderation.look(clock)
  }

  reset (): void {
    this.#moderation.reset()
  }
}
