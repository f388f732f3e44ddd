import { closeAll, NO_DESCRIPTORS } from './descriptor-ledger.js'
import { Header, HeaderFlags } from './layouts/header.js'
import type { Message } from './message.js'
import type { Outgoing } from './outgoing.js'
import { MessageType } from './protocol.js'

const HOME_BYTES = 4 << 10

/** Up to this many bytes, four at a time through views are quicker than a copy through new arrays. */
const SMALL_BYTES = 64

/** The flags of a reply that tells an error. */
const ERROR_REPLY = HeaderFlags.ERROR.set(MessageType.REPLY, 1)

/**
 * The reply to the command that is being handled. It is built aside, because a command may take its time and other
 * messages go out meanwhile.
 */
export class ReplyWriter {
  readonly #home = new Uint8Array(HOME_BYTES)
  readonly #homeView = new DataView(this.#home.buffer)
  #bytes: Uint8Array<ArrayBuffer> = this.#home
  #view = this.#homeView
  #byteLength = 0
  #descriptors: readonly number[] = NO_DESCRIPTORS
  #ownsDescriptors = false

  /** Where the payload is written. */
  get view (): DataView {
    return this.#view
  }

  /** Forgets the last reply, sent or not: the next one has no payload unless `payload` is called. */
  begin (): void {
    this.#byteLength = 0
    if (this.#ownsDescriptors) closeAll(this.#descriptors)
    this.#descriptors = NO_DESCRIPTORS
    this.#ownsDescriptors = false
    if (this.#bytes === this.#home) return
    this.#bytes = this.#home
    this.#view = this.#homeView
  }

  /**
   * Makes room for a payload and gives its position in `view`. The bytes are not zero. The caller has checked that the
   * length is within what was negotiated.
   */
  payload (byteLength: number): number {
    if (byteLength > this.#bytes.length) {
      this.#bytes = new Uint8Array(byteLength)
      this.#view = new DataView(this.#bytes.buffer)
    }
    this.#byteLength = byteLength
    return 0
  }

  /** Sends descriptors along. Those that are owned are closed once they are sent. */
  attach (descriptors: readonly number[], options: { readonly isOwned: boolean }): void {
    this.#descriptors = descriptors
    this.#ownsDescriptors = options.isOwned
  }

  /** Puts the reply into the queue. */
  send (message: Message, outgoing: Outgoing): void {
    const size = Header.byteLength + this.#byteLength
    const position = outgoing.reserve(size)
    writeHeader(outgoing.view, position, message, size, MessageType.REPLY, 0)
    this.#copyPayload(outgoing, position + Header.byteLength)
    if (this.#descriptors.length === 0) outgoing.commit(size)
    else outgoing.commit(size, { descriptors: this.#descriptors, isOwned: this.#ownsDescriptors })
    this.#ownsDescriptors = false
  }

  /** Puts an error reply into the queue: "the reply message must only include the reply header". */
  sendError (message: Message, outgoing: Outgoing, errno: number): void {
    const position = outgoing.reserve(Header.byteLength)
    writeHeader(outgoing.view, position, message, Header.byteLength, ERROR_REPLY, errno)
    outgoing.commit(Header.byteLength)
  }

  #copyPayload (outgoing: Outgoing, position: number): void {
    const byteLength = this.#byteLength
    if (byteLength > SMALL_BYTES) {
      outgoing.bytes.set(this.#bytes.subarray(0, byteLength), position)
      return
    }
    const source = this.#view
    const target = outgoing.view
    let at = 0
    for (; at + 4 <= byteLength; at += 4) target.setUint32(position + at, source.getUint32(at, true), true)
    for (; at < byteLength; at++) target.setUint8(position + at, source.getUint8(at))
  }
}

function writeHeader (
  view: DataView,
  position: number,
  message: Message,
  size: number,
  flags: number,
  errno: number
): void {
  Header.messageId.set(view, position, message.messageId)
  Header.command.set(view, position, message.command)
  Header.messageSize.set(view, position, size)
  Header.flags.set(view, position, flags)
  Header.error.set(view, position, errno)
}
