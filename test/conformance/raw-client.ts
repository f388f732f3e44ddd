import { closeDescriptor, UnixSocket, WOULD_BLOCK } from '@pcikit/native'

/**
 * A vfio-user client that sends bytes and looks at bytes. Nothing here comes from the packages under test: offsets are
 * written out by hand from the specification's tables, so that a wrong one cannot agree with itself.
 */

export const VERSION = 1
export const DMA_MAP = 2
export const DMA_UNMAP = 3
export const DEVICE_GET_INFO = 4
export const DEVICE_GET_REGION_INFO = 5
export const DEVICE_GET_REGION_IO_FDS = 6
export const DEVICE_GET_IRQ_INFO = 7
export const DEVICE_SET_IRQS = 8
export const REGION_READ = 9
export const REGION_WRITE = 10
export const DMA_READ = 11
export const DMA_WRITE = 12
export const DEVICE_RESET = 13
export const DIRTY_PAGES = 14
export const REGION_WRITE_MULTI = 15
export const DEVICE_FEATURE = 16
export const MIG_DATA_READ = 17
export const MIG_DATA_WRITE = 18

export const EIO = 5
export const ENOENT = 2
export const EBUSY = 16
export const EEXIST = 17
export const EINVAL = 22
export const ENOTTY = 25
export const ENOSPC = 28
export const EOPNOTSUPP = 95

export const COMMAND = 0x0
export const REPLY = 0x1
export const NO_REPLY = 0x10
export const ERROR = 0x20

/** A message as it came from the server. */
export interface Received {
  readonly id: number
  readonly command: number
  readonly size: number
  readonly flags: number
  readonly errno: number
  readonly payload: DataView
  readonly descriptors: readonly number[]
}

/** Capabilities that a client proposes where a test does not care. */
const USUAL = '{"capabilities":{"max_msg_fds":16,"write_multiple":true}}'

/** What a header says, where it is not the usual. */
export interface HeaderFields {
  readonly id?: number
  readonly flags?: number
  readonly size?: number
  readonly errno?: number
}

/** The bytes of a message. */
export function message (
  command: number,
  payload: Uint8Array = new Uint8Array(0),
  fields: HeaderFields = {}
): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, fields.id ?? 0x1234, true)
  view.setUint16(2, command, true)
  view.setUint32(4, fields.size ?? bytes.length, true)
  view.setUint32(8, fields.flags ?? COMMAND, true)
  view.setUint32(12, fields.errno ?? 0, true)
  bytes.set(payload, 16)
  return bytes
}

/** Bytes of 32-bit words. */
export function words (...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  values.forEach((value, index) => {
    view.setUint32(index * 4, value, true)
  })
  return new Uint8Array(view.buffer)
}

/** Bytes of 64-bit words. */
export function quads (...values: (number | bigint)[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8))
  values.forEach((value, index) => {
    view.setBigUint64(index * 8, BigInt(value), true)
  })
  return new Uint8Array(view.buffer)
}

/** Byte strings one after the other. */
export function join (...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** Text with the NUL that ends it. */
export function text (value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`)
}

/** The payload of a VERSION request for 0.`minor`. */
export function version (json?: string, { major = 0, minor = 0 } = {}): Uint8Array {
  const numbers = new Uint8Array([major & 0xff, major >> 8, minor & 0xff, minor >> 8])
  return json === undefined ? numbers : join(numbers, text(json))
}

/**
 * A connection to the server under test. It reads as QEMU does: a header must arrive in one piece, and descriptors with
 * the header of the message that they belong to.
 */
export class RawClient {
  readonly socket: UnixSocket
  readonly #received: Received[] = []
  readonly #waiting: (() => void)[] = []
  #header: DataView | undefined = undefined
  #descriptors: number[] = []
  #payload = new Uint8Array(0)
  #payloadBytes = 0
  #failure: Error | undefined = undefined
  /** Takes messages as they come, in place of `next`, while it is set. */
  responder: ((received: Received) => void) | undefined = undefined

  constructor (socket: UnixSocket) {
    this.socket = socket
    socket.onReadable(() => this.#read())
  }

  static connect (path: string): RawClient {
    return new RawClient(UnixSocket.connect(path))
  }

  /** Connects and agrees on a version with the capabilities that QEMU proposes. */
  static async open (path: string, json = USUAL): Promise<RawClient> {
    const client = RawClient.connect(path)
    const reply = await client.request(VERSION, version(json))
    if (reply.flags !== REPLY) throw new Error(`The server refused to negotiate with errno ${reply.errno}`)
    return client
  }

  /** Sends bytes, all of them, descriptors with the first. */
  send (bytes: Uint8Array, descriptors: readonly number[] = []): void {
    const sent = this.socket.send(bytes, 0, bytes.length, descriptors)
    if (sent !== bytes.length) throw new Error(`Sent ${sent} of ${bytes.length} bytes`)
  }

  /** Sends bytes that do not fit in the socket's buffer. */
  async sendAll (bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const sent = this.socket.send(bytes, at, bytes.length - at)
      if (sent > 0) at += sent
      else if (sent !== WOULD_BLOCK) throw new Error(`Sending failed with errno ${-sent}`)
      else {await new Promise<void>(resolve => {
          this.socket.onWritable(resolve)
        })}
      this.socket.onWritable(undefined)
    }
  }

  /** Sends a command and gives what comes next. */
  async request (
    command: number,
    payload?: Uint8Array,
    { descriptors = [], ...fields }: HeaderFields & { descriptors?: readonly number[] } = {}
  ): Promise<Received> {
    this.send(message(command, payload, fields), descriptors)
    return await this.next()
  }

  /** The next message of the server. Rejects when the connection ends first. */
  async next (): Promise<Received> {
    while (this.#received.length === 0) {
      if (this.#failure !== undefined) throw this.#failure
      await this.#changed()
    }
    return this.#received.shift()!
  }

  /** Resolves when the server has closed the connection. */
  async ended (): Promise<void> {
    while (this.#failure === undefined) await this.#changed()
  }

  /** How many messages came that nobody took. */
  get unread (): number {
    return this.#received.length
  }

  get hasEnded (): boolean {
    return this.#failure !== undefined
  }

  close (): void {
    this.socket.close()
    for (const { descriptors } of this.#received) descriptors.forEach(closeDescriptor)
  }

  #changed (): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve)
    })
  }

  #read (): void {
    while (this.#failure === undefined && this.#readPiece());
    for (const wake of this.#waiting.splice(0)) wake()
  }

  #readPiece (): boolean {
    if (this.#header === undefined) return this.#readHeader()
    if (this.#payloadBytes < this.#payload.length) {
      const room = this.#payload.length - this.#payloadBytes
      const received = this.socket.receive(this.#payload, this.#payloadBytes, room)
      if (received <= 0) return this.#stop(received)
      this.#payloadBytes += received
      if (this.#payloadBytes < this.#payload.length) return true
    }
    const header = this.#header
    const received: Received = {
      id: header.getUint16(0, true),
      command: header.getUint16(2, true),
      size: header.getUint32(4, true),
      flags: header.getUint32(8, true),
      errno: header.getUint32(12, true),
      payload: new DataView(this.#payload.buffer),
      descriptors: this.#descriptors
    }
    this.#header = undefined
    if (this.responder === undefined) this.#received.push(received)
    else this.responder(received)
    return true
  }

  #readHeader (): boolean {
    const bytes = new Uint8Array(16)
    this.#descriptors = []
    const received = this.socket.receive(bytes, 0, 16, this.#descriptors)
    if (received <= 0) return this.#stop(received)
    if (received < 16) return this.#stop(0, `The header came in pieces, the first of ${received} bytes`)
    this.#header = new DataView(bytes.buffer)
    this.#payload = new Uint8Array(this.#header.getUint32(4, true) - 16)
    this.#payloadBytes = 0
    return true
  }

  #stop (result: number, why = 'The server closed the connection'): boolean {
    if (result === WOULD_BLOCK) return false
    this.#failure = new Error(why)
    this.socket.onReadable(undefined)
    return false
  }
}

/** The bytes of a reply's payload. */
export function bytesOf (reply: Received): number[] {
  return [...new Uint8Array(reply.payload.buffer)]
}
