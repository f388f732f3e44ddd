import type { InterruptMode, Interrupts } from '@pcikit/core'
import { allottedMsiVectors, MsiControl, MsiRegister } from './capabilities/msi.js'
import { MsixControl, MsixRegister } from './capabilities/msix.js'
import type { ConfigSpace } from './config-space.js'
import type { InterruptDescription } from './description.js'
import { Command, Status } from './header.js'
import { InterruptPin } from './interrupt-pin.js'
import { VectorSet } from './vector-set.js'

/** What is due of the interrupts of a function. */
export interface SavedInterrupts {
  /** The level of the pin. */
  readonly isAsserted: boolean
  /** Pending bits, in words. */
  readonly msi: readonly number[]
  readonly msix: readonly number[]
}

/**
 * The interrupts of a function, as its device raises them.
 *
 * Which mode is in force follows from the configuration space: MSI-X Enable, else MSI Enable, else the pin. Clients
 * that keep those bits to themselves are served too: to VFIO, assigning triggers is what enables a kind, so with
 * neither bit set MSI-X or MSI is in force as long as the client has triggers assigned for it. QEMU writes the bits
 * through and then assigns triggers, Cloud Hypervisor the other way around.
 *
 * With Bus Master Enable clear a function may send no message, as a message is a memory write. [PCIe] "Command
 * Register" does not say what becomes of one that is due. It stays pending here and is sent when the bit is set again:
 * a message too many is harmless, one too few hangs a driver. INTx is no memory write, and not held back.
 */
export class FunctionInterrupts implements Interrupts {
  readonly pin: InterruptPin | undefined
  readonly msi: VectorSet | undefined
  readonly msix: VectorSet | undefined
  readonly #config: ConfigSpace
  /** Bus Master Enable is set, in D0, and no reset is under way. */
  #maySendMessages = false
  /** In D0, and no reset is under way. */
  #isAwake = true
  #mode: InterruptMode = 'none'
  #vectorCount = 0
  /** The vectors of the mode in force. */
  #active: VectorSet | undefined

  constructor (description: InterruptDescription, config: ConfigSpace) {
    this.#config = config
    this.pin = description.intxPin === undefined ? undefined : new InterruptPin()
    this.msi = description.msi === undefined ? undefined : new VectorSet(description.msi.vectors)
    this.msix = description.msix === undefined ? undefined : new VectorSet(description.msix.vectors)
    if (this.msi !== undefined) {
      config.registers.onWrite(MsiRegister.CONTROL, () => this.update())
      if (config.has(MsiRegister.MASK)) config.registers.onWrite(MsiRegister.MASK, mask => this.#maskMsi(mask))
    }
    if (this.msix !== undefined) config.registers.onWrite(MsixRegister.CONTROL, () => this.update())
    this.update()
  }

  get mode (): InterruptMode {
    return this.#mode
  }

  get vectorCount (): number {
    return this.#vectorCount
  }

  /** With fewer MSI vectors allotted than the device uses, the upper ones fold onto the lower, as hardware does. */
  trigger (vector: number): void {
    if (this.#active === undefined) return
    this.#active.raise(this.#mode === 'msi' ? vector & (this.#vectorCount - 1) : vector)
  }

  setIntx (isAsserted: boolean): void {
    this.pin?.setLevel(isAsserted)
  }

  /** Whether messages and INTx may leave: decided by power state, resets and Bus Master Enable. */
  setSending (isAwake: boolean, maySendMessages: boolean): void {
    this.#isAwake = isAwake
    this.#maySendMessages = maySendMessages
    this.update()
  }

  /** Finds out which mode is in force, after any change that it depends on, and sends what was waiting for it. */
  update (): void {
    const { registers } = this.#config
    const msixControl = this.msix === undefined ? 0 : registers.get(MsixRegister.CONTROL)
    const msiControl = this.msi === undefined ? 0 : registers.get(MsiRegister.CONTROL)
    const mode = this.#chooseMode(msixControl, msiControl)
    if (mode !== this.#mode) this.#active?.clearPending()
    this.#mode = mode
    this.#active = mode === 'msix' ? this.msix : mode === 'msi' ? this.msi : undefined
    this.#vectorCount = mode === 'intx' ? 1 : this.#active?.count ?? 0
    if (mode === 'msi' && MsiControl.MSI_ENABLE.isSet(msiControl)) this.#vectorCount = allottedMsiVectors(msiControl)

    const isUnmasked = !MsixControl.FUNCTION_MASK.isSet(msixControl)
    this.msix?.setOpen(mode === 'msix' && this.#maySendMessages && isUnmasked)
    this.msi?.setOpen(mode === 'msi' && this.#maySendMessages)
    const isDisabled = Command.INTERRUPT_DISABLE.isSet(registers.get('COMMAND_STATUS'))
    this.pin?.setEnabled(mode === 'intx' && this.#isAwake && !isDisabled)
  }

  /** Brings the bits of the configuration space up to date that follow from the state of interrupts. */
  publish (): void {
    const { registers } = this.#config
    if (this.pin !== undefined) {
      const word = registers.get('COMMAND_STATUS')
      registers.set('COMMAND_STATUS', Status.INTERRUPT_STATUS.set(word, this.pin.isAsserted ? 1 : 0))
    }
    if (this.msi !== undefined && this.#config.has(MsiRegister.PENDING)) {
      registers.set(MsiRegister.PENDING, this.msi.pendingWords[0]!)
    }
  }

  /**
   * The state after a reset, once the registers have theirs. Triggers stay: they are the client's, and after a
   * function-level reset the guest's driver expects them where they were.
   */
  reset (): void {
    this.msi?.clearPending()
    this.msi?.setGuestMask(0, this.msi.count, false)
    this.msix?.clearPending()
    this.pin?.setLevel(false)
    this.update()
  }

  save (): SavedInterrupts {
    return {
      isAsserted: this.pin?.isAsserted === true,
      msi: [...this.msi?.pendingWords ?? []],
      msix: [...this.msix?.pendingWords ?? []]
    }
  }

  /** Takes over what was due, once the registers are those that it was due with. It is sent when it can be. */
  restore ({ isAsserted, msi, msix }: SavedInterrupts): void {
    if (this.#config.has(MsiRegister.MASK)) this.#maskMsi(this.#config.registers.get(MsiRegister.MASK))
    // First the mode: a change of it forgets what is pending.
    this.update()
    this.msi?.restorePending(msi)
    this.msix?.restorePending(msix)
    this.pin?.setLevel(isAsserted)
  }

  #chooseMode (msixControl: number, msiControl: number): InterruptMode {
    if (MsixControl.MSIX_ENABLE.isSet(msixControl)) return 'msix'
    if (MsiControl.MSI_ENABLE.isSet(msiControl)) return 'msi'
    if (this.msix?.isAssigned === true) return 'msix'
    if (this.msi?.isAssigned === true) return 'msi'
    return this.pin === undefined ? 'none' : 'intx'
  }

  #maskMsi (mask: number): void {
    if (this.msi === undefined) return
    for (let vector = 0; vector < this.msi.count; vector++) {
      this.msi.setGuestMask(vector, 1, (mask >>> vector & 1) !== 0)
    }
  }
}
