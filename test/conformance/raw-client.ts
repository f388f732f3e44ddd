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

/** What a header says, where it is not the usual. */
export interface HeaderFields {
  readonly id?: number
  readonly flags?: number
  readonly size?: number
  readonly errno?: number
}

/** The bytes of a message. */
export function message (command: number, payload: Uint8Array = new Uint8Array(0), fields: HeaderFields = {}): Uint8Array {
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
  values.forEach((value, index) => { view.setUint32(index * 4, value, true) })
  return new Uint8Array(view.buffer)
}

/** Bytes of 64-bit words. */
export function quads (...values: (number | bigint)[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 8))
  values.forEach((value, index) => { view.setBigUint64(index * 8, BigInt(value), true) })
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

/** A connection to the server under test. */
export class RawClient {
  readonly socket: UnixSocket
  #bytes = new Uint8Array(0)
  #descriptors: number[] = []
  #received: Received[] = []
  #hasEnded = false
  #wake: (() => void) | undefined = undefined

  constructor (socket: UnixSocket) {
    this.socket = socket
    socket.onReadable(() => this.#read())
  }

  static connect (path: string): RawClient {
    return new RawClient(UnixSocket.connect(path))
  }

  /** Connects and agrees on a version with the capabilities that QEMU proposes. */
  static async open (path: string, json = '{"capabilities":{"max_msg_fds":16,"write_multiple":true}}'): Promise<RawClient> {
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
      else await new Promise<void>(resolve => { this.socket.onWritable(resolve) })
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
      if (this.#hasEnded) throw new Error('The server closed the connection')
      await new Promise<void>(resolve => { this.#wake = resolve })
    }
    return this.#received.shift()!
  }

  /** Resolves when the server has closed the connection. */
  async ended (): Promise<void> {
    while (!this.#hasEnded) await new Promise<void>(resolve => { this.#wake = resolve })
  }

  /** How many messages came that nobody took. */
  get unread (): number {
    return this.#received.length
  }

  get hasEnded (): boolean {
    return this.#hasEnded
  }

  close (): void {
    this.socket.close()
    for (const { descriptors } of this.#received) descriptors.forEach(closeDescriptor)
  }

  #read (): void {
    const chunk = new Uint8Array(256 << 10)
    const received = this.socket.receive(chunk, 0, chunk.length, this.#descriptors)
    if (received === WOULD_BLOCK) return
    if (received <= 0) {
      this.#hasEnded = true
      this.socket.onReadable(undefined)
    } else {
      this.#bytes = join(this.#bytes, chunk.subarray(0, received))
      this.#cut()
    }
    this.#wake?.()
  }

  #cut (): void {
    for (;;) {
      const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
      if (view.byteLength < 16 || view.byteLength < view.getUint32(4, true)) return
      const size = view.getUint32(4, true)
      this.#received.push({
        id: view.getUint16(0, true),
        command: view.getUint16(2, true),
        size,
        flags: view.getUint32(8, true),
        errno: view.getUint32(12, true),
        payload: new DataView(this.#bytes.slice(16, size).buffer),
        descriptors: this.#descriptors
      })
      this.#descriptors = []
      this.#bytes = this.#bytes.slice(size)
    }
  }
}

/** The bytes of a reply's payload. */
export function bytesOf (reply: Received): number[] {
  return [...new Uint8Array(reply.payload.buffer)]
}
