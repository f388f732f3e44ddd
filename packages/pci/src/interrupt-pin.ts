import type { IrqTrigger } from '@pcikit/core'

/**
 * INTx: a level, told to the client in edges. A signal masks the pin until the client has served it and unmasks; if the
 * level still holds then, it is signalled again. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO", AUTOMASKED.
 */
export class InterruptPin {
  #trigger: IrqTrigger | undefined
  #isAsserted = false
  #isMasked = false
  #isEnabled = false

  get isAsserted (): boolean {
    return this.#isAsserted
  }

  /** Sets the level. Taking it back before it was signalled leaves nothing pending. */
  setLevel (isAsserted: boolean): void {
    this.#isAsserted = isAsserted
    this.#evaluate()
  }

  /** Whether the function may send: pin-based mode, Interrupt Disable clear, D0. */
  setEnabled (isEnabled: boolean): void {
    this.#isEnabled = isEnabled
    this.#evaluate()
  }

  /** Sets, replaces or removes who is told. A new trigger starts unmasked. */
  assign (trigger: IrqTrigger | undefined): void {
    if (this.#trigger !== trigger) this.#trigger?.close()
    this.#trigger = trigger
    this.#isMasked = false
    this.#evaluate()
  }

  mask (): void {
    this.#isMasked = true
  }

  unmask (): void {
    this.#isMasked = false
    this.#evaluate()
  }

  /** Signals as if the level had risen, for tests of the client. */
  loopBack (): void {
    if (this.#isMasked || this.#trigger === undefined) return
    this.#isMasked = true
    this.#trigger.signal()
  }

  #evaluate (): void {
    if (this.#isAsserted && this.#isEnabled) this.loopBack()
  }
}
