import { WOULD_BLOCK } from '@pcikit/native'
import { DescriptorLedger } from './descriptor-ledger.js'
import { Header, HeaderFlags } from './layouts/header.js'
import { Message } from './message.js'
import { Outgoing } from './outgoing.js'
import { MessageType } from './protocol.js'
import { ReceiveBuffer } from './receive-buffer.js'
import type { StreamSocket } from './stream-socket.js'

/** How many messages are handled in one turn of the event loop before others have theirs. */
const MESSAGES_PER_TURN = 256

/** What a stream does not go beyond. */
export interface StreamLimits {
  /** The longest message, header included. A longer one ends the connection: what follows cannot be framed. */
  readonly messageBytesMax: number
  /** How many descriptors a message may carry. */
  readonly descriptorsMax: number
  /** How many commands are read while an earlier one is still being worked on. */
  readonly queuedCommandsMax: number
  /** How many bytes are read while an earlier command is still being worked on, a message that has begun aside. */
  readonly queuedBytesMax: number
}

/** Where the messages of a stream go. Nothing of this may throw. */
export interface MessageSink {
  /** Handles a command. The next one comes when the promise, if any, has resolved; it must not reject. */
  onCommand(message: Message): void | Promise<void>
  /** A reply, as soon as it is here, also while a command is being worked on. The position is that of its header. */
  onReply(view: DataView, position: number, byteLength: number): void
  /** A header says something that leaves the rest of the stream without meaning. The stream stops. */
  onFramingError(view: DataView, position: number, reason: string): void
  /** Descriptors came with messages that take none. They are closed. */
  onUnexpectedDescriptors(count: number): void
  /** The other side is gone, or the socket failed with an errno. The stream has stopped. */
  onEnd(errno: number): void
}

/**
 * Messages on a socket: cuts what arrives into messages, hands on commands strictly in order and replies at once, and
 * sends what is put into `outgoing` at the end of each turn.
 *
 *     socket ─► bytes ─► [next ··· framed ··· end)    next..framed: commands that wait for the one before them
 *                                                     framed..end:  not looked at, or not complete
 */
export class MessageStream {
  readonly outgoing = new Outgoing()
  readonly #socket: StreamSocket
  readonly #sink: MessageSink
  readonly #limits: StreamLimits
  readonly #buffer = new ReceiveBuffer()
  readonly #ledger: DescriptorLedger
  readonly #message = new Message()
  #arrived: number[] = []
  #next = 0
  #framed = 0
  /** How many bytes the message at `framed` lacks, as far as is known. */
  #missing = 0
  #queuedCommands = 0
  #isHeld = false
  #isOpen = true
  #isReading = false
  #isSending = false
  #isInTurn = false
  #isFlushScheduled = false
  #continuation: NodeJS.Immediate | undefined = undefined

  constructor (socket: StreamSocket, sink: MessageSink, limits: StreamLimits) {
    this.#socket = socket
    this.#sink = sink
    this.#limits = limits
    this.#ledger = new DescriptorLedger(limits.descriptorsMax, count => sink.onUnexpectedDescriptors(count))
  }

  /** Starts to read. */
  start (): void {
    this.#turn()
  }

  /** Sends what is in `outgoing`: now, or at the end of the turn when in one. */
  scheduleFlush (): void {
    if (this.#isInTurn || this.#isFlushScheduled || !this.#isOpen) return
    this.#isFlushScheduled = true
    queueMicrotask(() => {
      this.#isFlushScheduled = false
      this.flush()
    })
  }

  /** Sends what is in `outgoing` as far as the socket takes it; the rest follows when it takes more. */
  flush (): void {
    if (!this.#isOpen) return
    const result = this.outgoing.flush(this.#socket)
    if (result !== 0 && result !== WOULD_BLOCK) {
      this.#fail(-result)
      return
    }
    const mustWait = result !== 0
    if (mustWait === this.#isSending) return
    this.#isSending = mustWait
    this.#socket.onWritable(mustWait ? this.#onWritable : undefined)
  }

  /**
   * Takes no more messages, and closes every descriptor that was not handed on. What waits to be sent is sent as far as
   * the socket takes it now.
   */
  stop (): void {
    this.#stop()
    this.outgoing.flush(this.#socket)
  }

  /** Stops and closes the socket. */
  close (): void {
    this.stop()
    this.outgoing.close()
    this.#socket.close()
  }

  readonly #onReadable = (): void => {
    this.#turn()
  }

  readonly #onWritable = (): void => {
    this.flush()
    this.#turn()
  }

  /** One bounded piece of work: what is here already, what can be received, and what there is to send. */
  #turn (): void {
    if (!this.#isOpen || this.#isInTurn) return
    this.#isInTurn = true
    let budget = this.#handle(MESSAGES_PER_TURN)
    while (this.#isOpen && budget > 0 && this.#canReceive) {
      const mayHaveMore = this.#receive()
      if (this.#isOpen) budget = this.#handle(budget)
      if (!mayHaveMore) break
    }
    this.#isInTurn = false
    if (!this.#isOpen) return
    const wasBlocked = this.#isBlocked
    this.flush()
    if (this.#isOpen) this.#arrange(budget === 0 || (wasBlocked && !this.#isBlocked))
  }

  /** Decides what starts the next turn: messages that are here already, or what the socket brings. */
  #arrange (hasMore: boolean): void {
    if (hasMore && this.#continuation === undefined) {
      this.#continuation = setImmediate(() => {
        this.#continuation = undefined
        this.#turn()
      })
    }
    const shouldRead = this.#canReceive
    if (shouldRead === this.#isReading) return
    this.#isReading = shouldRead
    this.#socket.onReadable(shouldRead ? this.#onReadable : undefined)
  }

  /** Whether commands have to wait: one is being worked on, or the client does not take its replies. */
  get #isBlocked (): boolean {
    return this.#isHeld || this.outgoing.pendingBytes > this.#limits.queuedBytesMax
  }

  /**
   * Replies to our own requests may stand behind commands that have to wait, so reading goes on while one is worked on.
   * It stops at a bound. If what would make progress stands behind that, the request's own timeout ends the wait.
   */
  get #canReceive (): boolean {
    if (!this.#isBlocked) return true
    const waiting = this.#framed - this.#next
    return this.#queuedCommands < this.#limits.queuedCommandsMax && waiting < this.#limits.queuedBytesMax
  }

  /** Receives once. False when there is nothing more now. */
  #receive (): boolean {
    const buffer = this.#buffer
    if (this.#next === buffer.end && !this.#isHeld) buffer.release()
    else buffer.makeRoom(this.#missing, this.#next, this.#isHeld)
    const start = buffer.end
    const room = buffer.room
    const received = this.#socket.receive(buffer.bytes, buffer.tail, room, this.#arrived)
    if (received > 0) buffer.accept(received)
    if (this.#arrived.length > 0) {
      this.#ledger.add(start, buffer.end, this.#arrived)
      this.#arrived = []
      return true
    }
    if (received > 0) return received === room
    if (received !== WOULD_BLOCK) this.#fail(-received)
    return false
  }

  /** Handles messages that are here, at most `budget`, and gives what is left of it. */
  #handle (budget: number): number {
    if (!this.#ledger.isSettled) {
      this.#ledger.settle(this.#buffer, this.#framed)
      if (!this.#ledger.isSettled) {
        this.#missing = Header.byteLength
        return budget
      }
    }
    while (budget > 0 && this.#isOpen) {
      if (this.#next < this.#framed && !this.#isBlocked) this.#handNext()
      else if (!this.#canReceive || !this.#frame()) break
      budget--
    }
    return budget
  }

  /** Takes up the message at `framed`. False when it is not complete, or wrong. */
  #frame (): boolean {
    const buffer = this.#buffer
    const available = buffer.end - this.#framed
    if (available < Header.byteLength) {
      this.#missing = Header.byteLength - available
      return false
    }
    const { view } = buffer
    const position = buffer.positionOf(this.#framed)
    const size = Header.messageSize.get(view, position)
    if (size < Header.byteLength || size > this.#limits.messageBytesMax) {
      this.#stop()
      const bounds = `between ${Header.byteLength} and ${this.#limits.messageBytesMax}`
      this.#sink.onFramingError(view, position, `a message of ${size} bytes, which is not ${bounds}`)
      return false
    }
    this.#missing = Math.max(0, size - available)
    if (this.#missing > 0) return false
    const isFirst = this.#next === this.#framed
    this.#framed += size
    if (isReply(view, position)) {
      if (isFirst) this.#next = this.#framed
      this.#sink.onReply(view, position, size)
    } else if (isFirst && !this.#isBlocked) {
      this.#handOn(position, size)
    } else {
      this.#queuedCommands++
    }
    return true
  }

  /** Hands on the first message that had to wait. Replies among them were handed on when they came. */
  #handNext (): void {
    const { view } = this.#buffer
    const position = this.#buffer.positionOf(this.#next)
    const size = Header.messageSize.get(view, position)
    if (isReply(view, position)) {
      this.#next += size
      return
    }
    this.#queuedCommands--
    this.#handOn(position, size)
  }

  #handOn (position: number, size: number): void {
    const message = this.#message
    message.load(this.#buffer.view, position)
    if (!this.#ledger.isEmpty) {
      message.descriptors = this.#ledger.take(this.#next)
      message.hadExcessDescriptors = this.#ledger.takeExcess(this.#next)
    }
    this.#next += size
    const pending = this.#sink.onCommand(message)
    if (pending === undefined) return
    this.#isHeld = true
    void pending.then(() => {
      this.#isHeld = false
      this.#turn()
    })
  }

  #fail (errno: number): void {
    if (!this.#isOpen) return
    this.#stop()
    this.#sink.onEnd(errno)
  }

  #stop (): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#isReading = false
    this.#isSending = false
    this.#socket.onReadable(undefined)
    this.#socket.onWritable(undefined)
    if (this.#continuation !== undefined) clearImmediate(this.#continuation)
    this.#continuation = undefined
    this.#ledger.close()
  }
}

function isReply (view: DataView, position: number): boolean {
  return HeaderFlags.TYPE.get(Header.flags.get(view, position)) === MessageType.REPLY
}
