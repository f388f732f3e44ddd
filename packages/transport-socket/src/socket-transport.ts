import { assert, LOGGER, OPTIONS } from '@pcikit/core'
import type { DeviceEndpoint, Logger, Transport } from '@pcikit/core'
import { inject, injectable } from 'tsyringe'
import type { ListenerOptions, SocketOptions } from './options.js'
import { Reception } from './reception.js'
import { Session } from './session.js'
import { listenAt } from './socket-file.js'

/** Serves a device on a UNIX socket, or to whoever comes from a listener, in the vfio-user protocol. */
@injectable()
export class SocketTransport implements Transport {
  readonly address: string
  readonly #options: SocketOptions | ListenerOptions
  readonly #logger: Logger
  #reception: Reception | undefined = undefined
  #closed: Promise<void> | undefined = undefined

  constructor (@inject(OPTIONS) options: SocketOptions | ListenerOptions, @inject(LOGGER) logger: Logger) {
    this.#options = options
    this.#logger = logger
    this.address = options.path
  }

  /**
   * Starts to serve. Rejects with PcikitError PCIKIT_SOCKET_IN_USE where another process serves on the path, and with
   * PCIKIT_SOCKET_UNAVAILABLE where a socket cannot be made there.
   */
  async listen (endpoint: DeviceEndpoint): Promise<void> {
    assert(this.#reception === undefined && this.#closed === undefined, 'listen() was called before, or after close()')
    const options = this.#options
    const listener = 'listener' in options ? options.listener : listenAt(options.path, options.mode)
    this.#reception = new Reception(listener, (socket, onEnded) => {
      return new Session(socket, { endpoint, options: this.#options, logger: this.#logger, onEnded })
    }, this.#logger)
    this.#reception.open()
  }

  close (): Promise<void> {
    this.#closed ??= this.#reception?.close() ?? Promise.resolve()
    return this.#closed
  }
}
