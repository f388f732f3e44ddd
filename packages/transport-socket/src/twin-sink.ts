import type { Logger } from '@pcikit/core'
import type { DmaRequests } from './dma-requests.js'
import type { MessageSink } from './message-stream.js'

/** Takes what a client sends on the socket for our own commands: their replies, and nothing else. */
export class TwinSink implements MessageSink {
  readonly #logger: Logger
  #requests: DmaRequests | undefined = undefined

  constructor (logger: Logger) {
    this.#logger = logger
  }

  /** Says whose replies these are. */
  connect (requests: DmaRequests): void {
    this.#requests = requests
  }

  onReply (view: DataView, position: number, byteLength: number): void {
    this.#requests?.onReply(view, position, byteLength)
  }

  onCommand (): void {
    this.#logger.warn({}, 'The client sent a command on the socket for ours; it is ignored')
  }

  onFramingError (_view: DataView, _position: number, reason: string): void {
    this.#logger.warn({ reason }, `The client sent ${reason} on the socket for our commands`)
    this.#requests?.close()
  }

  onUnexpectedDescriptors (count: number): void {
    this.#logger.warn({ count }, 'The client sent descriptors with replies; they are closed')
  }

  onEnd (): void {
    this.#requests?.close()
  }
}
