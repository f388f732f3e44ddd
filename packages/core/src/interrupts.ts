/** The kinds of interrupt of a PCI function, as VFIO numbers them. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const IrqIndex = Object.freeze({ INTX: 0, MSI: 1, MSIX: 2, ERR: 3, REQ: 4 } as const)
export type IrqIndex = (typeof IrqIndex)[keyof typeof IrqIndex]

/** How many kinds of interrupt a PCI function has. */
export const IRQ_INDEX_COUNT = 5

/** What the guest's driver chose. Exactly one is in force at a time. */
export type InterruptMode = 'none' | 'intx' | 'msi' | 'msix'

/** How a device interrupts the guest. Masks, pending bits and Bus Master Enable are obeyed behind it. */
export interface Interrupts {
  readonly mode: InterruptMode
  /** How many vectors can be told apart in this mode; 1 for INTx, 0 for none. */
  readonly vectorCount: number
  /** Sends the message of a vector (MSI, MSI-X). With INTx or none it does nothing: see `setIntx`. */
  trigger(vector: number): void
  /** Sets the level of the INTx pin. In other modes the level is remembered and drives Interrupt Status alone. */
  setIntx(asserted: boolean): void
}

/** Tells the client that an interrupt happened. A transport makes it, of an eventfd for example. */
export interface IrqTrigger {
  signal(): void
  /** Lets go of what is behind it. */
  close(): void
}

/** How one kind of interrupt can be used. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export interface IrqInfo {
  readonly index: IrqIndex
  /** How many vectors; 0 where the function does not have this kind. */
  readonly count: number
  readonly maskable: boolean
  readonly automasked: boolean
  /** Whether the number of vectors cannot grow while the kind is in use. */
  readonly noresize: boolean
}

/** Interrupts as a client sees them. The ranges given are checked against `info` by the caller. */
export interface InterruptLines {
  info(index: IrqIndex): IrqInfo
  /** Sets, replaces (closing the old one) or, with undefined, removes the triggers of vectors from `start` on. */
  assign(index: IrqIndex, start: number, triggers: readonly (IrqTrigger | undefined)[]): void
  mask(index: IrqIndex, start: number, count: number): void
  /** Lets masked vectors through again; one that became pending meanwhile is signalled. */
  unmask(index: IrqIndex, start: number, count: number): void
  /** Signals vectors as if the device had, for loopback tests. */
  trigger(index: IrqIndex, start: number, count: number): void
  /** Removes and closes every trigger, and lifts every mask: the client is gone. */
  release(): void
}
