import type { PciFunction } from './pci-function.js'

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
