import { Errno, ProtocolError } from '@pcikit/core'
import type { DmaRequest, DmaRequestDraft } from './dma-request.js'
import { Header, HeaderFlags } from './layouts/header.js'
import type { MessageStream } from './message-stream.js'
import { commandName, MessageType } from './protocol.js'

const MESSAGE_IDS = 0x1_0000

/** What bounds the requests to one client. */
export interface DmaRequestLimits {
  /** How many may be on their way at a time; the others wait. */
  readonly requestsMax: number
  /** How many bytes may be on their way at a time, one longer request aside. */
  readonly bytesMax: number
  /** How long the client may take to answer one. */
  readonly timeoutMs: number
}

/**
 * The commands that this side sends: gives them ids, sends a bounded number at a time, and brings each its reply. Every
 * request ends exactly once: with its reply, an error reply, at its deadline, or with the connection.
 */
export class DmaRequests {
  readonly #limits: DmaRequestLimits
  readonly #onStray: (what: string) => void
  #stream: MessageStream | undefined
  /** Sent, in the order of their deadlines. */
  readonly #sent = new Map<number, DmaRequest & { readonly byteLength: number }>()
  /** Ids whose reply never came. A late one must not be taken for that of another request. */
  readonly #abandoned = new Set<number>()
  #waiting: DmaRequestDraft[] = []
  #sentBytes = 0
  #nextId = 0
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (stream: MessageStream, limits: DmaRequestLimits, onStray: (what: string) => void) {
    this.#stream = stream
    this.#limits = limits
    this.#onStray = onStray
  }

  /** Sends a request now, or when others have ended. */
  submit (draft: DmaRequestDraft): void {
    if (this.#stream === undefined) {
      draft.reject(new ProtocolError(Errno.EIO, 'The client is gone.'))
      return
    }
    if (this.#waiting.length > 0 || !this.#canSend(draft)) this.#waiting.push(draft)
    else this.#send(this.#stream, draft)
  }

  /** Takes a reply. `position` is that of its header in `view`. */
  onReply (view: DataView, position: number, size: number): void {
    const messageId = Header.messageId.get(view, position)
    const command = Header.command.get(view, position)
    if (this.#abandoned.delete(messageId)) {
      this.#onStray(`a reply to ${commandName(command)} ${messageId}, which came too late`)
      return
    }
    const request = this.#sent.get(messageId)
    if (request?.command !== command) {
      this.#onStray(`a reply to ${commandName(command)} ${messageId}, which was not asked`)
      return
    }
    this.#sent.delete(messageId)
    this.#sentBytes -= request.byteLength
    if (HeaderFlags.ERROR.isSet(Header.flags.get(view, position))) {
      const errno = Header.error.get(view, position)
      request.reject(new ProtocolError(Errno.EIO, `The client refused ${commandName(command)} with errno ${errno}.`))
    } else {
      request.resolve(view, position + Header.byteLength, size - Header.byteLength)
    }
    this.#goOn()
  }

  /** Rejects every request, and every later one. */
  close (): void {
    this.#stream = undefined
    clearTimeout(this.#timer)
    const error = new ProtocolError(Errno.EIO, 'The client went before it answered.')
    const requests = [...this.#sent.values(), ...this.#waiting]
    this.#sent.clear()
    this.#waiting = []
    for (const request of requests) request.reject(error)
  }

  #canSend (draft: DmaRequestDraft): boolean {
    if (this.#sent.size === 0) return true
    return this.#sent.size < this.#limits.requestsMax && this.#sentBytes + draft.byteLength <= this.#limits.bytesMax
  }

  #send (stream: MessageStream, draft: DmaRequestDraft): void {
    const messageId = this.#takeId()
    const size = Header.byteLength + draft.byteLength
    const { outgoing } = stream
    const position = outgoing.reserve(size)
    Header.messageId.set(outgoing.view, position, messageId)
    Header.command.set(outgoing.view, position, draft.command)
    Header.messageSize.set(outgoing.view, position, size)
    Header.flags.set(outgoing.view, position, MessageType.COMMAND)
    Header.error.set(outgoing.view, position, 0)
    draft.write(outgoing.view, outgoing.bytes, position + Header.byteLength)
    outgoing.commit(size)
    const { command, byteLength, resolve, reject } = draft
    const deadline = performance.now() + this.#limits.timeoutMs
    this.#sent.set(messageId, { messageId, command, byteLength, deadline, resolve, reject })
    this.#sentBytes += byteLength
    this.#timer ??= this.#wakeIn(this.#limits.timeoutMs)
    stream.scheduleFlush()
  }

  #goOn (): void {
    while (this.#stream !== undefined && this.#waiting.length > 0 && this.#canSend(this.#waiting[0]!)) {
      this.#send(this.#stream, this.#waiting.shift()!)
    }
  }

  #takeId (): number {
    do {
      this.#nextId = (this.#nextId + 1) % MESSAGE_IDS
    } while (this.#sent.has(this.#nextId) || this.#abandoned.has(this.#nextId))
    return this.#nextId
  }

  #wakeIn (delayMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => this.#expire(), delayMs)
    timer.unref()
    return timer
  }

  #expire (): void {
    this.#timer = undefined
    const now = performance.now()
    for (const request of this.#sent.values()) {
      if (request.deadline > now) {
        this.#timer = this.#wakeIn(request.deadline - now)
        break
      }
      this.#sent.delete(request.messageId)
      this.#sentBytes -= request.byteLength
      this.#abandon(request.messageId)
      const what = `${commandName(request.command)} within ${this.#limits.timeoutMs} ms`
      request.reject(new ProtocolError(Errno.ETIMEDOUT, `The client did not answer ${what}.`))
    }
    this.#goOn()
  }

  /** A client that never answers must not use up all ids: the oldest may be used again after half of them. */
  #abandon (messageId: number): void {
    this.#abandoned.add(messageId)
    if (this.#abandoned.size <= MESSAGE_IDS / 2) return
    for (const oldest of this.#abandoned) {
      this.#abandoned.delete(oldest)
      return
    }
  }
}
