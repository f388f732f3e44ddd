import { closeDescriptor, WOULD_BLOCK } from '@pcikit/native'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ClientSocket } from './client-socket.js'
import { Header } from './layouts.js'
import { decodeHeader } from './message.js'
import type { Message, MessageHeader } from './message.js'
import { ConnectionError } from './vfio-user-error.js'

const ECONNRESET = 104
/** More than any reply that a test asks for: a larger size in a header is nonsense. */
const MESSAGE_BYTES_MAX = 64 * 1024 * 1024

/** How bytes leave. */
export interface SendOptions {
  /** Descriptors to pass, with the first piece. They stay the caller's. */
  readonly descriptors?: readonly number[]
  /** The positions at which the bytes are cut into writes of their own, in ascending order. */
  readonly splitAt?: readonly number[]
  /** Called before each piece but the first, so that the peer sees the one before. By default one turn of the loop. */
  readonly between?: () => Promise<void>
}

/**
 * Messages over a UNIX socket. It reads the header and the rest of each message by themselves, so that descriptors are
 * attributed to the message they came with, and writes in the order of the calls.
 */
export class MessageStream {
  readonly #socket: ClientSocket
  readonly #onMessage: (message: Message) => void
  readonly #onEnd: (error: ConnectionError) => void
  readonly #headerBytes = new Uint8Array(Header.byteLength)
  #header: MessageHeader | undefined
  #body = new Uint8Array(0)
  #filled = 0
  #descriptors: number[] = []
  #sends: Promise<void> = Promise.resolve()
  #wakeWriter: (() => void) | undefined
  #end: ConnectionError | undefined

  constructor (
    socket: ClientSocket,
    onMessage: (message: Message) => void,
    onEnd: (error: ConnectionError) => void
  ) {
    this.#socket = socket
    this.#onMessage = onMessage
    this.#onEnd = onEnd
    socket.onReadable(() => this.#drain())
  }

  /** Why the stream ended, or undefined while it lives. */
  get end (): ConnectionError | undefined {
    return this.#end
  }

  /** Sends bytes after everything sent before. Resolves when the kernel has them all. */
  send (bytes: Uint8Array, options: SendOptions = {}): Promise<void> {
    const sent = this.#sends.then(() => this.#send(bytes, options))
    this.#sends = sent.catch(() => undefined)
    return sent
  }

  /** Ends the stream from this side. */
  close (): void {
    this.#finish(new ConnectionError('closed', 'The connection was closed by this side.'))
  }

  async #send (bytes: Uint8Array, options: SendOptions): Promise<void> {
    const cuts = [...(options.splitAt ?? []).filter(at => at > 0 && at < bytes.length), bytes.length]
    let position = 0
    let descriptors = options.descriptors ?? []
    for (const cut of cuts) {
      if (position > 0) await (options.between ?? nextTurn)()
      while (position < cut) {
        if (this.#end !== undefined) throw this.#end
        const count = this.#socket.send(bytes, position, cut - position, descriptors)
        if (count === WOULD_BLOCK) {
          await this.#writable()
          continue
        }
        if (count < 0) throw this.#finish(new ConnectionError('io', `Writing to the socket failed: errno ${-count}.`))
        position += count
        descriptors = []
      }
    }
  }

  #writable (): Promise<void> {
    return new Promise(resolve => {
      this.#wakeWriter = resolve
      this.#socket.onWritable(() => {
        this.#socket.onWritable(undefined)
        resolve()
      })
    })
  }

  #drain (): void {
    while (this.#end === undefined) {
      const target = this.#header === undefined ? this.#headerBytes : this.#body
      const count = this.#socket.receive(target, this.#filled, target.length - this.#filled, this.#descriptors)
      if (count === WOULD_BLOCK) return
      if (count === 0 || count === -ECONNRESET) {
        this.#finish(new ConnectionError('ended', 'The server closed the connection.'))
        return
      }
      if (count < 0) {
        this.#finish(new ConnectionError('io', `Reading from the socket failed: errno ${-count}.`))
        return
      }
      this.#filled += count
      if (this.#filled === target.length) this.#advance()
    }
  }

  #advance (): void {
    this.#filled = 0
    if (this.#header === undefined) {
      const header = decodeHeader(this.#headerBytes)
      if (header.size < Header.byteLength || header.size > MESSAGE_BYTES_MAX) {
        this.#finish(new ConnectionError('protocol', `The server sent a header with a size of ${header.size}.`))
        return
      }
      this.#header = header
      this.#body = new Uint8Array(header.size - Header.byteLength)
      if (this.#body.length > 0) return
    }
    const header = this.#header
    const payload = this.#body
    const descriptors = this.#descriptors
    this.#header = undefined
    this.#descriptors = []
    this.#onMessage({ header, payload, view: new DataView(payload.buffer), descriptors })
  }

  #finish (error: ConnectionError): ConnectionError {
    if (this.#end !== undefined) return this.#end
    this.#end = error
    this.#socket.close()
    for (const descriptor of this.#descriptors) closeDescriptor(descriptor)
    this.#descriptors = []
    this.#wakeWriter?.()
    this.#onEnd(error)
    return error
  }
}
