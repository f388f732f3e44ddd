import { Errno } from '@pcikit/core'
import type { Logger } from '@pcikit/core'
import { Header } from './layouts/header.js'
import { Message } from './message.js'
import { Outgoing } from './outgoing.js'
import { ReplyWriter } from './reply-writer.js'
import type { Session } from './session.js'
import type { StreamListener, StreamSocket } from './stream-socket.js'

/**
 * How long another client may wait for the one before it to go. A virtual machine that is restarted connects before the
 * end of its predecessor has been seen here.
 */
const GRACE_MS = 100

/** How many clients may wait. */
const WAITING_MAX = 8

/** How long nothing is accepted after the system refused to, for want of descriptors. */
const RETRY_MS = 1000

interface Waiting {
  readonly socket: StreamSocket
  timer: NodeJS.Timeout | undefined
}

/** Lets clients in one after the other. One that comes while another is served is told that the device is busy. */
export class Reception {
  readonly #listener: StreamListener
  readonly #openSession: (socket: StreamSocket, onEnded: () => void) => Session
  readonly #logger: Logger
  #session: Session | undefined = undefined
  #waiting: Waiting[] = []
  #retry: NodeJS.Timeout | undefined = undefined
  #isOpen = true

  constructor (
    listener: StreamListener,
    openSession: (socket: StreamSocket, onEnded: () => void) => Session,
    logger: Logger
  ) {
    this.#listener = listener
    this.#openSession = openSession
    this.#logger = logger
  }

  /** Starts to let clients in. */
  open (): void {
    this.#listener.onReadable(() => this.#accept())
  }

  /** Removes the socket file, and ends the connections. Resolves when nothing of the clients is left. */
  async close (): Promise<void> {
    this.#isOpen = false
    clearTimeout(this.#retry)
    this.#listener.close()
    for (const { socket, timer } of this.#waiting) {
      clearTimeout(timer)
      socket.close()
    }
    this.#waiting = []
    await this.#session?.end('the device is shut down')
  }

  #accept (): void {
    const socket = this.#tryAccept()
    if (socket === undefined) return
    if (this.#session === undefined) {
      this.#serve(socket)
      return
    }
    const waiting: Waiting = { socket, timer: undefined }
    this.#waiting.push(waiting)
    if (this.#waiting.length > WAITING_MAX) this.#giveUp(waiting)
    else this.#beginGrace(waiting)
  }

  /** A process that was held up sees its timers first, and what happened on its sockets only then. */
  #beginGrace (waiting: Waiting): void {
    waiting.timer = setTimeout(() => void setImmediate(() => this.#endGrace(waiting)), GRACE_MS)
  }

  #endGrace (waiting: Waiting): void {
    if (!this.#waiting.includes(waiting)) return
    if (this.#session?.isEnding === true) this.#beginGrace(waiting)
    else this.#giveUp(waiting)
  }

  #tryAccept (): StreamSocket | undefined {
    try {
      return this.#listener.accept()
    } catch (error) {
      this.#logger.error({ err: error }, 'Cannot accept a client; trying again in a second')
      this.#listener.onReadable(undefined)
      this.#retry = setTimeout(() => this.open(), RETRY_MS)
      return undefined
    }
  }

  #serve (socket: StreamSocket): void {
    this.#session = this.#openSession(socket, () => {
      this.#session = undefined
      this.#serveNext()
    })
    this.#session.start()
  }

  #serveNext (): void {
    const next = this.#waiting.shift()
    if (next === undefined || !this.#isOpen) return
    clearTimeout(next.timer)
    this.#serve(next.socket)
  }

  #giveUp (waiting: Waiting): void {
    // Who only holds the line, and never said which version it speaks, makes way.
    if (this.#session?.isNegotiated === false && this.#waiting[0] === waiting) {
      void this.#session.end('it said nothing, and another client came')
      return
    }
    this.#waiting = this.#waiting.filter(other => other !== waiting)
    clearTimeout(waiting.timer)
    this.#logger.warn({}, 'Refused a client: the device has one already')
    refuse(waiting.socket)
  }
}

/** Answers the client's first message, if it is here, with EBUSY, and closes the connection. */
function refuse (socket: StreamSocket): void {
  const bytes = new Uint8Array(4096)
  const received = socket.receive(bytes, 0, bytes.length)
  if (received >= Header.byteLength) {
    const message = new Message()
    message.load(new DataView(bytes.buffer), 0)
    const outgoing = new Outgoing()
    new ReplyWriter().sendError(message, outgoing, Errno.EBUSY)
    outgoing.flush(socket)
  }
  socket.close()
}
