import type { IrqTrigger } from '@pcikit/core'
import { closeDescriptor, signalEventFd, yieldProcessor } from '@pcikit/native'

/** An interrupt that is told by adding one to an eventfd of the client. It owns the descriptor. */
export class EventFdTrigger implements IrqTrigger {
  #descriptor: number

  constructor (descriptor: number) {
    this.#descriptor = descriptor
  }

  /** A counter that is full stands for interrupts nobody took yet: one more would tell nothing new. */
  signal (): void {
    if (this.#descriptor < 0) return
    signalEventFd(this.#descriptor)
    // A device that polls would go on with its turn, on the processor on which the client was to wake up.
    yieldProcessor()
  }

  close (): void {
    if (this.#descriptor < 0) return
    closeDescriptor(this.#descriptor)
    this.#descriptor = -1
  }
}
