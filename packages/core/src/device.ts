import type { PciFunction } from './pci-function.js'

/**
 * What a device or a function keeps of itself while its code is exchanged: plain data, what `structuredClone` copies.
 * Whoever restores it may be newer or older code than whoever saved it.
 */
export type DeviceState = Readonly<Record<string, unknown>>

/**
 * A device as the host runs it. It is built once, by its plugin's provider, with everything it needs injected, and
 * lives on while clients come and go.
 */
export interface Device {
  readonly function: PciFunction
  /** Opens what takes time (back ends). Called once, before the first client. A rejection fails the device. */
  start?(): Promise<void>
  /** The client went: its memory and interrupts are gone already. Registers keep their values. */
  clientGone?(): void
  /**
   * Tells what other code needs to go on where this device is. From the call on the device begins nothing new; it
   * resolves when nothing is under way. Guest memory and interrupts are still there. `close` follows.
   */
  save?(): DeviceState | Promise<DeviceState>
  /**
   * Goes on where a device was that saved `state`. Called once at most, on a device that was started, before the guest
   * reaches it; guest memory is not there yet, and `onMap` tells when it is. Throwing refuses the state: then the code
   * that was there before goes on with it.
   */
  restore?(state: DeviceState): void | Promise<void>
  /**
   * Stops all work, flushes and closes what `start` opened. Called once, also after a failed `start`. No DMA may follow
   * once it resolved.
   */
  close(): Promise<void>
}

/** Who this device is, in logs and messages. */
export interface DeviceIdentity {
  /** The name of this instance, unique in its host. */
  readonly name: string
  /** The device type, as its plugin contributed it. */
  readonly type: string
}
