import { Errno, isProtocolError, ProtocolError } from '@pcikit/core'
import type { ClientConnection, DeviceEndpoint, Logger } from '@pcikit/core'
import { handlerOf } from './command-table.js'
import { closeAll } from './descriptor-ledger.js'
import { DmaChannel } from './dma-channel.js'
import { IrqWatches } from './irq-watches.js'
import { HeaderFlags } from './layouts/header.js'
import { Message } from './message.js'
import { MessageStream } from './message-stream.js'
import type { MessageSink } from './message-stream.js'
import { negotiate } from './negotiate.js'
import type { SocketOptions } from './options.js'
import { Command, commandName } from './protocol.js'
import { RegionTable } from './region-table.js'
import { ReplyWriter } from './reply-writer.js'
import type { RequestContext } from './request-context.js'
import { streamLimits } from './stream-limits.js'
import type { StreamSocket } from './stream-socket.js'

/** What a session needs besides its socket. */
export interface SessionSettings {
  readonly endpoint: DeviceEndpoint
  readonly options: SocketOptions
  readonly logger: Logger
  /** Called once, when nothing of the client is left. */
  readonly onEnded: () => void
}

/** One client, from its first byte until nothing of it is left. */
export class Session implements MessageSink {
  readonly #settings: SessionSettings
  readonly #logger: Logger
  readonly #stream: MessageStream
  readonly #reply = new ReplyWriter()
  readonly #watches = new IrqWatches()
  #context: RequestContext | undefined = undefined
  #connection: ClientConnection | undefined = undefined
  #dmaChannel: DmaChannel | undefined = undefined
  /** The command that takes its time, if there is one. */
  #pending: Promise<void> | undefined = undefined
  #ended: Promise<void> | undefined = undefined
  /** What closes the connection once the answer to the current command is on its way. */
  #fatal: string | undefined = undefined

  constructor (socket: StreamSocket, settings: SessionSettings) {
    this.#settings = settings
    this.#logger = settings.logger
    this.#stream = new MessageStream(socket, this, streamLimits(settings.options))
  }

  /** Starts to serve the client. */
  start (): void {
    this.#stream.start()
  }

  /** Whether the client has agreed on a version. Before that it holds nothing. */
  get isNegotiated (): boolean {
    return this.#context !== undefined
  }

  /** The connection is over, and what it leaves is being cleared away. */
  get isEnding (): boolean {
    return this.#ended !== undefined
  }

  /** Ends the connection. Resolves when nothing of the client is left. */
  end (reason: string): Promise<void> {
    this.#ended ??= this.#end(reason)
    return this.#ended
  }

  onCommand (message: Message): void | Promise<void> {
    let pending: void | Promise<void> = undefined
    this.#reply.begin()
    try {
      pending = this.#handle(message)
    } catch (error) {
      this.#refuse(message, error)
      return
    }
    if (pending === undefined) {
      this.#finish(message)
      return
    }
    this.#pending = pending.then(() => this.#finish(message), (error: unknown) => this.#refuse(message, error))
    return this.#pending
  }

  onReply (view: DataView, position: number, byteLength: number): void {
    if (this.#dmaChannel?.acceptsOnMain === true) this.#dmaChannel.requests.onReply(view, position, byteLength)
    else this.#logger.warn({}, 'The client sent a reply, and was not asked anything on this socket')
  }

  onFramingError (view: DataView, position: number, reason: string): void {
    const message = new Message()
    message.load(view, position)
    if (message.isCommand && message.wantsReply) {
      this.#reply.sendError(message, this.#stream.outgoing, Errno.EINVAL)
    }
    this.#logger.warn({ reason }, `The client sent ${reason}; what follows cannot be read`)
    void this.end('its messages cannot be told apart')
  }

  onUnexpectedDescriptors (count: number): void {
    this.#logger.warn({ count }, 'The client sent descriptors with messages that take none; they are closed')
  }

  onEnd (errno: number): void {
    void this.end(errno === 0 ? 'it closed the connection' : `its socket failed with errno ${errno}`)
  }

  #handle (message: Message): void | Promise<void> {
    if (!message.isCommand) throw new ProtocolError(Errno.EINVAL, 'The message is neither a command nor a reply.')
    if (HeaderFlags.ERROR.isSet(message.flags)) throw new ProtocolError(Errno.EINVAL, 'A command has the error flag.')
    if (message.hadExcessDescriptors) {
      const { descriptorsMax } = this.#settings.options
      throw new ProtocolError(Errno.EINVAL, `A message came with more than ${descriptorsMax} descriptors.`)
    }
    if (this.#context === undefined) this.#negotiate(message)
    else return handlerOf(message.command)(message, this.#reply, this.#context)
  }

  #negotiate (message: Message): void {
    try {
      if (message.command !== Command.VERSION) {
        throw new ProtocolError(Errno.EINVAL, `The client's first message is ${commandName(message.command)}.`)
      }
      const { endpoint, options } = this.#settings
      const agreement = negotiate(message, this.#reply, options)
      this.#connection = endpoint.connect()
      const settings = { agreement, options, logger: this.#logger }
      this.#dmaChannel = DmaChannel.open(this.#stream, this.#reply, settings)
      endpoint.dma.setPort(this.#dmaChannel.port)
      this.#context = {
        function: endpoint.function,
        dma: endpoint.dma,
        agreement,
        regions: new RegionTable(endpoint.function),
        watches: this.#watches
      }
      this.#logger.info({ ...agreement }, 'A client is connected')
    } catch (error) {
      // "The server replies with a compatible version, or closes the connection."
      this.#fatal = 'no version was agreed on'
      throw error
    }
  }

  #finish (message: Message): void {
    closeAll(message.takeDescriptors())
    if (this.#ended !== undefined) return
    if (message.wantsReply) this.#reply.send(message, this.#stream.outgoing)
    this.#stream.scheduleFlush()
  }

  #refuse (message: Message, error: unknown): void {
    closeAll(message.takeDescriptors())
    const name = commandName(message.command)
    if (isProtocolError(error)) this.#logger.debug({ errno: error.errno, err: error }, `Refused ${name}`)
    else this.#logger.error({ err: error }, `${name} failed: the device has an error in its program`)
    if (this.#ended !== undefined) return
    const errno = isProtocolError(error) ? error.errno : Errno.EIO
    if (message.wantsReply) this.#reply.sendError(message, this.#stream.outgoing, errno)
    this.#stream.scheduleFlush()
    if (this.#fatal !== undefined) void this.end(this.#fatal)
  }

  async #end (reason: string): Promise<void> {
    this.#stream.stop()
    this.#dmaChannel?.close()
    this.#watches.close()
    if (this.isNegotiated) this.#logger.info({ reason }, `The client is gone: ${reason}`)
    else this.#logger.debug({ reason }, `A connection ended before a version was agreed on: ${reason}`)
    try {
      await this.#connection?.close()
    } catch (error) {
      this.#logger.error({ err: error }, 'Taking the memory of a client away failed')
    }
    await this.#pending
    this.#reply.begin()
    // Last, so that a client that is still there sees the end only when nothing can reach its memory any more.
    this.#stream.close()
    this.#settings.onEnded()
  }
}
