import type { BusMasterSwitch } from '../tokens.js'

/**
 * The bus master switch of one code of a device. While it is closed the code switches nothing, and what it wanted last
 * comes into force when it opens. Closing it takes bus mastering away.
 */
export class BusMasterGate implements BusMasterSwitch {
  readonly #busMaster: BusMasterSwitch
  #isWanted = false
  #isOpen = false

  constructor (busMaster: BusMasterSwitch) {
    this.#busMaster = busMaster
  }

  get isOpen (): boolean {
    return this.#isOpen
  }

  setBusMaster (enabled: boolean): void {
    this.#isWanted = enabled
    if (this.#isOpen) this.#busMaster.setBusMaster(enabled)
  }

  open (): void {
    this.#isOpen = true
    this.#busMaster.setBusMaster(this.#isWanted)
  }

  close (): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#busMaster.setBusMaster(false)
  }
}
