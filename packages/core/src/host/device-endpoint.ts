import type { Device } from '../device.js'
import type { DmaManager } from '../dma.js'
import { Errno, ProtocolError } from '../errors.js'
import type { PciFunction } from '../pci-function.js'
import type { Recorder } from '../recorder.js'
import type { ClientConnection, DeviceEndpoint } from '../transport.js'
import type { Scope } from './scope.js'

/** A device as its transport serves it: one client at a time, and nothing of a client outlives its connection. */
export class HostedEndpoint implements DeviceEndpoint {
  readonly name: string
  readonly function: PciFunction
  readonly dma: DmaManager
  readonly #device: Device
  readonly #scope: Scope
  readonly #recorder: Recorder
  #connected = false

  constructor (scope: Scope, name: string, device: Device, dma: DmaManager, recorder: Recorder) {
    this.name = name
    this.function = device.function
    this.dma = dma
    this.#device = device
    this.#scope = scope
    this.#recorder = recorder
  }

  connect (): ClientConnection {
    if (this.#connected) throw new ProtocolError(Errno.EBUSY, `${this.name} has a client already`)
    const scope = this.#scope.child(`the client of ${this.name}`)
    this.#connected = true
    this.#recorder.record({ type: 'client', connected: true })
    scope.onClose('its connection', () => this.#disconnect())
    return { close: () => scope.close() }
  }

  /** The device keeps its registers. Memory goes last: what it holds up is cut off by its own deadline. */
  async #disconnect (): Promise<void> {
    try {
      this.function.interrupts.release()
      this.dma.setPort(undefined)
      await this.dma.unmapAll()
      this.#device.clientGone?.()
    } finally {
      this.#recorder.record({ type: 'client', connected: false })
      this.#connected = false
    }
  }
}
