import type { DmaManager } from './dma.js'
import type { PciFunction } from './pci-function.js'

/** What a transport makes of a client while it is connected. */
export interface ClientConnection {
  /** Takes the client's memory and interrupts away from the device. Resolves when nothing of them is left. */
  close(): Promise<void>
}

/** A device as a transport serves it. */
export interface DeviceEndpoint {
  /** The name of the device, for messages. */
  readonly name: string
  readonly function: PciFunction
  readonly dma: DmaManager
  /** Tells the host that a client attached. A device has one client at a time: with another still there this throws. */
  connect(): ClientConnection
}

/** Brings clients to one device, and their requests to its {@link DeviceEndpoint}. */
export interface Transport {
  /** Where clients find it, readable: a path, for example. */
  readonly address: string
  /** Starts to serve. Resolves once clients can connect. */
  listen(endpoint: DeviceEndpoint): Promise<void>
  /** Ends the connection of the client, if any, and takes no more. What was at `address` is gone when it resolves. */
  close(): Promise<void>
}
