import { Header } from './layouts.js'
import { HeaderFlags } from './protocol.js'

/** The header of a message, decoded. [vfio-user] "Header". */
export interface MessageHeader {
  readonly id: number
  readonly command: number
  /** The size of the whole message, header included, as the header states it. */
  readonly size: number
  readonly flags: number
  readonly error: number
}

/** A message as it came from the socket. */
export interface Message {
  readonly header: MessageHeader
  /** What follows the header. */
  readonly payload: Uint8Array
  /** The same bytes, for fields. */
  readonly view: DataView
  /** Descriptors that came with it. Whoever takes the message owns them. */
  readonly descriptors: readonly number[]
}

/** What {@link encodeMessage} needs. Fields that are left out are zero; the size is that of the message. */
export interface MessageParts {
  readonly id?: number
  readonly command: number
  readonly flags?: number
  readonly error?: number
  /** A size to state in the header, for messages that are to be wrong. */
  readonly size?: number
  readonly payload?: Uint8Array
}

/** The bytes of a message, header first. */
export function encodeMessage (parts: MessageParts): Uint8Array {
  const payload = parts.payload ?? new Uint8Array(0)
  const bytes = new Uint8Array(Header.byteLength + payload.length)
  const view = new DataView(bytes.buffer)
  Header.id.set(view, 0, parts.id ?? 0)
  Header.command.set(view, 0, parts.command)
  Header.size.set(view, 0, parts.size ?? bytes.length)
  Header.flags.set(view, 0, parts.flags ?? 0)
  Header.error.set(view, 0, parts.error ?? 0)
  bytes.set(payload, Header.byteLength)
  return bytes
}

/** Reads the header at the start of `bytes`. */
export function decodeHeader (bytes: Uint8Array): MessageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    id: Header.id.get(view, 0),
    command: Header.command.get(view, 0),
    size: Header.size.get(view, 0),
    flags: Header.flags.get(view, 0),
    error: Header.error.get(view, 0)
  }
}

/** Whether a header belongs to a reply. */
export function isReply (header: MessageHeader): boolean {
  return (header.flags & HeaderFlags.TYPE_MASK) === HeaderFlags.TYPE_REPLY
}

/** Whether a header belongs to an error reply. */
export function isErrorReply (header: MessageHeader): boolean {
  return isReply(header) && (header.flags & HeaderFlags.ERROR) !== 0
}

/** Writes all 64 bits of a value, which a double cannot always hold. */
export function setUint64 (view: DataView, position: number, value: number | bigint): void {
  view.setBigUint64(position, BigInt.asUintN(64, BigInt(value)), true)
}
