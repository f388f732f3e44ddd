import { UnixSocket } from '@pcikit/native'
import { encodeMessage } from '../../src/vfio-user/message.js'
import type { Message } from '../../src/vfio-user/message.js'
import { MessageStream } from '../../src/vfio-user/message-stream.js'
import type { SendOptions } from '../../src/vfio-user/message-stream.js'
import { HeaderFlags } from '../../src/vfio-user/protocol.js'

/** The server's end of a pair of sockets, which does only what a test tells it. */
export class ScriptedServer {
  readonly client: UnixSocket
  readonly stream: MessageStream
  readonly #arrived: Message[] = []
  readonly #waiting: ((message: Message) => void)[] = []

  constructor () {
    const [near, far] = UnixSocket.pair()
    this.client = far
    this.stream = new MessageStream(near, message => this.#take(message), () => undefined)
  }

  /** The next message that the client sent. */
  next (): Promise<Message> {
    const message = this.#arrived.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** Answers a message. */
  async reply (message: Message, payload: Uint8Array = new Uint8Array(0), options: SendOptions = {}): Promise<void> {
    const { id, command } = message.header
    await this.stream.send(encodeMessage({ id, command, flags: HeaderFlags.TYPE_REPLY, payload }), options)
  }

  /** Answers a message with an error. */
  async fail (message: Message, errno: number, payload: Uint8Array = new Uint8Array(0)): Promise<void> {
    const { id, command } = message.header
    const flags = HeaderFlags.TYPE_REPLY | HeaderFlags.ERROR
    await this.stream.send(encodeMessage({ id, command, flags, error: errno, payload }))
  }

  close (): void {
    this.stream.close()
  }

  #take (message: Message): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#arrived.push(message)
    else waiting(message)
  }
}
