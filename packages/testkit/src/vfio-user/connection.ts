import { closeDescriptor } from '@pcikit/native'
import type { ClientSocket } from './client-socket.js'
import { encodeMessage, isErrorReply, isReply } from './message.js'
import type { Message } from './message.js'
import { MessageStream } from './message-stream.js'
import type { SendOptions } from './message-stream.js'
import { commandName, HeaderFlags } from './protocol.js'
import { ConnectionError, VfioUserError } from './vfio-user-error.js'

/** How one request is sent. */
export interface RequestOptions extends SendOptions {
  /** The message id. By default each request has the next number. */
  readonly id?: number
  /** Bits to add to the flags of the header. */
  readonly flags?: number
}

/** What a connection is told besides its socket. */
export interface ConnectionOptions {
  /** Milliseconds that a request may wait for its reply; 0 means for ever. */
  readonly timeoutMs: number
  /** Answers a command of the server: the bytes of a reply, or undefined for none. */
  readonly serve: (message: Message) => Promise<Uint8Array | undefined>
}

interface Pending {
  readonly id: number
  readonly command: number
  readonly resolve: (message: Message) => void
  readonly reject: (error: Error) => void
  timer: NodeJS.Timeout | undefined
}

const UNCLAIMED_MAX = 1024

/**
 * Requests and their replies over one socket, pipelined. Replies must come in the order of the requests, as the
 * protocol has it: anything else ends the connection with an error. Replies to nothing are kept for {@link receive}.
 */
export class Connection {
  readonly #stream: MessageStream
  readonly #options: ConnectionOptions
  readonly #pending: Pending[] = []
  readonly #unclaimed: Message[] = []
  readonly #receivers: { readonly resolve: (message: Message) => void, readonly reject: (error: Error) => void }[] = []
  readonly #ended: Promise<ConnectionError>
  #resolveEnded: (error: ConnectionError) => void = () => undefined
  #nextId = 0

  constructor (socket: ClientSocket, options: ConnectionOptions) {
    this.#options = options
    this.#ended = new Promise(resolve => {
      this.#resolveEnded = resolve
    })
    this.#stream = new MessageStream(socket, message => this.#take(message), error => this.#finish(error))
  }

  /** Resolves with the reason once the connection is over. */
  get ended (): Promise<ConnectionError> {
    return this.#ended
  }

  get isOpen (): boolean {
    return this.#stream.end === undefined
  }

  /** Sends a command and resolves with its reply. Rejects with VfioUserError for an error reply. */
  request (command: number, payload: Uint8Array, options: RequestOptions = {}): Promise<Message> {
    const id = options.id ?? this.#takeId()
    return new Promise((resolve, reject) => {
      if (this.#stream.end !== undefined) return reject(this.#stream.end)
      const pending: Pending = { id, command, resolve, reject, timer: undefined }
      this.#pending.push(pending)
      this.#arm(pending)
      const bytes = encodeMessage({ id, command, flags: options.flags ?? 0, payload })
      this.#stream.send(bytes, options).catch(reject)
    })
  }

  /** Sends a command to which no reply is wanted. Resolves when the kernel has it. */
  async post (command: number, payload: Uint8Array, options: RequestOptions = {}): Promise<void> {
    const flags = (options.flags ?? 0) | HeaderFlags.NO_REPLY
    const bytes = encodeMessage({ id: options.id ?? this.#takeId(), command, flags, payload })
    await this.#stream.send(bytes, options)
  }

  /** Sends bytes as they are. */
  send (bytes: Uint8Array, options: SendOptions = {}): Promise<void> {
    return this.#stream.send(bytes, options)
  }

  /** The next message that answers no pending request. */
  receive (): Promise<Message> {
    const message = this.#unclaimed.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.#stream.end !== undefined) return Promise.reject(this.#stream.end)
    return new Promise((resolve, reject) => this.#receivers.push({ resolve, reject }))
  }

  close (): void {
    this.#stream.close()
  }

  #takeId (): number {
    const id = this.#nextId
    this.#nextId = (id + 1) & 0xffff
    return id
  }

  #arm (pending: Pending): void {
    const { timeoutMs } = this.#options
    if (timeoutMs === 0) return
    const expire = (): void => {
      const text = `No reply to ${commandName(pending.command)} came within ${timeoutMs} ms.`
      pending.reject(new ConnectionError('timeout', text))
    }
    pending.timer = setTimeout(expire, timeoutMs)
  }

  #take (message: Message): void {
    if (!isReply(message.header)) {
      void this.#serve(message)
      return
    }
    const pending = this.#pending.shift()
    if (pending === undefined) {
      this.#deliver(message)
      return
    }
    clearTimeout(pending.timer)
    const { id, command } = message.header
    if (id !== pending.id || command !== pending.command) {
      const found = `${commandName(command)} with id ${id}`
      const expected = `${commandName(pending.command)} with id ${pending.id}`
      const error = new ConnectionError('protocol', `A reply to ${found} came where one to ${expected} was due.`)
      release(message)
      pending.reject(error)
      this.#stream.close()
      return
    }
    if (!isErrorReply(message.header)) return pending.resolve(message)
    release(message)
    // [vfio-user] "Header": "If an error occurs, the reply message must only include the reply header."
    const isBare = message.payload.length === 0 && message.descriptors.length === 0
    if (isBare) return pending.reject(new VfioUserError(command, message.header.error))
    pending.reject(new ConnectionError('protocol', `An error reply to ${commandName(command)} carries data.`))
  }

  #deliver (message: Message): void {
    const receiver = this.#receivers.shift()
    if (receiver !== undefined) return receiver.resolve(message)
    if (this.#unclaimed.length < UNCLAIMED_MAX) this.#unclaimed.push(message)
    else release(message)
  }

  async #serve (message: Message): Promise<void> {
    release(message)
    const reply = await this.#options.serve(message)
    if (reply === undefined || this.#stream.end !== undefined) return
    // The connection may end while the reply is on its way; the requests that wait are told, this one has nobody.
    await this.#stream.send(reply).catch(() => undefined)
  }

  #finish (error: ConnectionError): void {
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer)
      pending.reject(error)
    }
    for (const receiver of this.#receivers.splice(0)) receiver.reject(error)
    this.#resolveEnded(error)
  }
}

/** Closes the descriptors of a message that nobody takes. */
function release (message: Message): void {
  for (const descriptor of message.descriptors) closeDescriptor(descriptor)
}
