import type { DmaPort, Logger } from '@pcikit/core'
import { duplicateDescriptor, UnixSocket } from '@pcikit/native'
import type { Agreement } from './capabilities.js'
import { DmaRequests } from './dma-requests.js'
import { MessageDmaPort } from './message-dma-port.js'
import { MessageStream } from './message-stream.js'
import type { SocketOptions } from './options.js'
import type { ReplyWriter } from './reply-writer.js'
import { streamLimits } from './stream-limits.js'
import { TwinSink } from './twin-sink.js'

/** How many bytes of requests may be on their way at a time, in requests of the longest kind. */
const LONG_REQUESTS_MAX = 8

/** What a channel is opened with. */
export interface DmaChannelSettings {
  readonly agreement: Agreement
  readonly options: SocketOptions
  readonly logger: Logger
}

/** The way of our own commands to a client: on a socket of their own where that was agreed on. */
export class DmaChannel {
  readonly requests: DmaRequests
  readonly port: DmaPort
  readonly #twin: MessageStream | undefined

  private constructor (requests: DmaRequests, port: DmaPort, twin: MessageStream | undefined) {
    this.requests = requests
    this.port = port
    this.#twin = twin
  }

  /** Opens the channel, and where it has a socket of its own sends the client's end along with the reply to VERSION. */
  static open (main: MessageStream, reply: ReplyWriter, settings: DmaChannelSettings): DmaChannel {
    const { agreement, options, logger } = settings
    const limits = {
      requestsMax: options.dmaRequestsMax,
      bytesMax: LONG_REQUESTS_MAX * agreement.transferBytesMax,
      timeoutMs: options.dmaTimeoutMs
    }
    const warn = (what: string): void => {
      logger.warn({}, `The client sent ${what}; it is ignored`)
    }
    const twinSink = agreement.twinSocket ? new TwinSink(logger) : undefined
    const twin = twinSink === undefined ? undefined : openTwin(twinSink, reply, options)
    const requests = new DmaRequests(twin ?? main, limits, warn)
    twinSink?.connect(requests)
    twin?.start()
    return new DmaChannel(requests, createPort(requests, settings), twin)
  }

  /** Whether replies come on the client's own socket. */
  get acceptsOnMain (): boolean {
    return this.#twin === undefined
  }

  /** Fails every request that is on its way, and all later ones. */
  close (): void {
    this.requests.close()
    this.#twin?.close()
  }
}

function openTwin (sink: TwinSink, reply: ReplyWriter, options: SocketOptions): MessageStream {
  const [own, theirs] = UnixSocket.pair()
  reply.attach([duplicateDescriptor(theirs.fd)], { isOwned: true })
  theirs.close()
  return new MessageStream(own, sink, streamLimits(options))
}

function createPort (requests: DmaRequests, settings: DmaChannelSettings): DmaPort {
  const { agreement, options, logger } = settings
  const layout = options.dmaMessageLayout
  return new MessageDmaPort(requests, {
    transferBytesMax: agreement.transferBytesMax,
    layout: layout === 'auto' ? undefined : layout
  }, logger)
}
