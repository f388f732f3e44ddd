import type { Device } from '../device.js'
import type { DmaManager } from '../dma.js'
import { Errno, ProtocolError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { Recorder } from '../recorder.js'
import type { ClientConnection, DeviceEndpoint } from '../transport.js'
import { GuardedFunction } from './guarded-function.js'
import type { Scope } from './scope.js'

/** What an endpoint tells others. */
export interface EndpointListeners {
  readonly recorder: Recorder
  readonly logger: Logger
}

/** A device as its transport serves it: one client at a time, and nothing of a client outlives its connection. */
export class HostedEndpoint implements DeviceEndpoint {
  readonly name: string
  readonly function: GuardedFunction
  readonly dma: DmaManager
  readonly #device: Device
  readonly #scope: Scope
  readonly #recorder: Recorder
  #connected = false
  /** Whether clients have to wait, since what they would be told is about to change. */
  isChanging = false

  constructor (scope: Scope, name: string, device: Device, dma: DmaManager, { recorder, logger }: EndpointListeners) {
    this.name = name
    this.function = new GuardedFunction(device.function, (error, during) => {
      dma.setBusMaster(false)
      logger.error(
        { err: error },
        `${during} broke the device: it has an error in its program. It does not answer until it is reset`
      )
    })
    this.dma = dma
    this.#device = device
    this.#scope = scope
    this.#recorder = recorder
  }

  get isConnected (): boolean {
    return this.#connected
  }

  connect (): ClientConnection {
    if (this.isChanging) throw new ProtocolError(Errno.EBUSY, `${this.name} is about to change its code`)
    if (this.#connected) throw new ProtocolError(Errno.EBUSY, `${this.name} has a client already`)
    const scope = this.#scope.child(`the client of ${this.name}`)
    this.#connected = true
    this.#recorder.record({ type: 'client', connected: true })
    // From the last to the first, each of them whatever becomes of the others.
    scope.onClose('the end of its connection', () => {
      this.#recorder.record({ type: 'client', connected: false })
      this.#connected = false
    })
    scope.onClose('the device', () => this.#device.clientGone?.())
    scope.onClose('its memory', async () => void await this.dma.unmapAll())
    scope.onClose('its way to memory', () => this.dma.setPort(undefined))
    scope.onClose('its interrupts', () => this.function.interrupts.release())
    return { close: () => scope.close() }
  }
}
