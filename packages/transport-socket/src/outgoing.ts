import { closeDescriptor } from '@pcikit/native'
import { Header } from './layouts/header.js'
import type { StreamSocket } from './stream-socket.js'

/** What the queue has at rest. */
const HOME_BYTES = 64 << 10

/**
 * The most bytes of several messages in one sendmsg. The kernel takes this much in one piece, so a reader never sees
 * the start of a header without its rest: QEMU drops the connection when a header arrives in two reads.
 */
const BATCH_BYTES_MAX = 16 << 10

/** Descriptors that leave with a message. */
export interface Cargo {
  readonly descriptors: readonly number[]
  /** Whether they are closed once they are on their way (or never will be). */
  readonly isOwned: boolean
}

interface Shipment extends Cargo {
  /** Where its message starts in the queue. */
  at: number
}

/** Messages on their way out, in order, of which the socket may take any part at a time. */
export class Outgoing {
  readonly #home = new Uint8Array(HOME_BYTES)
  readonly #homeView = new DataView(this.#home.buffer)
  #bytes: Uint8Array<ArrayBuffer> = this.#home
  #view = this.#homeView
  #head = 0
  #tail = 0
  /** How many bytes at the head are the rest of a message that went out in part. */
  #rest = 0
  #shipments: Shipment[] = []

  /** The memory that `reserve` gives positions in. Changes in `reserve` and `flush`. */
  get view (): DataView {
    return this.#view
  }

  get bytes (): Uint8Array<ArrayBuffer> {
    return this.#bytes
  }

  /** How many bytes wait to be sent. */
  get pendingBytes (): number {
    return this.#tail - this.#head
  }

  /** Makes room for one message and tells its position. Nothing else may be reserved until it is committed. */
  reserve (byteLength: number): number {
    if (this.#tail + byteLength > this.#bytes.length) this.#makeRoom(byteLength)
    return this.#tail
  }

  /** Adds the message that was written at the reserved position. */
  commit (byteLength: number, cargo?: Cargo): void {
    if (cargo !== undefined && cargo.descriptors.length > 0) this.#shipments.push({ ...cargo, at: this.#tail })
    this.#tail += byteLength
  }

  /** Sends what the socket takes. Gives 0 once all is sent, or the negative errno that stopped it. */
  flush (socket: StreamSocket): number {
    while (this.#head < this.#tail) {
      const byteLength = this.#rest > 0 ? this.#rest : this.#batchBytes()
      const shipment = this.#rest === 0 ? this.#shipmentAt(this.#head) : undefined
      const sent = shipment === undefined ?
        socket.send(this.#bytes, this.#head, byteLength) :
        socket.send(this.#bytes, this.#head, byteLength, shipment.descriptors)
      if (sent < 0) return sent
      if (shipment !== undefined) this.#dispatched()
      this.#advance(sent, byteLength)
    }
    this.#head = 0
    this.#tail = 0
    this.#bytes = this.#home
    this.#view = this.#homeView
    return 0
  }

  /** Forgets everything that was not sent. */
  close (): void {
    while (this.#shipments.length > 0) this.#dispatched()
    this.#head = 0
    this.#tail = 0
    this.#rest = 0
  }

  #makeRoom (byteLength: number): void {
    const pending = this.pendingBytes
    if (pending + byteLength <= this.#bytes.length) {
      this.#bytes.copyWithin(0, this.#head, this.#tail)
    } else {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, pending + byteLength))
      larger.set(this.#bytes.subarray(this.#head, this.#tail))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    for (const shipment of this.#shipments) shipment.at -= this.#head
    this.#head = 0
    this.#tail = pending
  }

  /** How much of the queue goes out with the next sendmsg. A message with descriptors goes alone. */
  #batchBytes (): number {
    let end = this.#head + this.#sizeAt(this.#head)
    if (this.#shipmentAt(this.#head) !== undefined) return end - this.#head
    while (end < this.#tail && this.#shipmentAt(end) === undefined) {
      const next = end + this.#sizeAt(end)
      if (next - this.#head > BATCH_BYTES_MAX) break
      end = next
    }
    return end - this.#head
  }

  /** Moves on by what was sent, which may end inside a message. */
  #advance (sent: number, byteLength: number): void {
    const end = this.#head + sent
    if (sent === byteLength) this.#rest = 0
    else if (this.#rest > 0) this.#rest -= sent
    else {
      let boundary = this.#head
      while (boundary < end) boundary += this.#sizeAt(boundary)
      this.#rest = boundary - end
    }
    this.#head = end
  }

  #sizeAt (position: number): number {
    return Header.messageSize.get(this.#view, position)
  }

  #shipmentAt (position: number): Shipment | undefined {
    if (this.#shipments.length === 0) return undefined
    const first = this.#shipments[0]!
    return first.at === position ? first : undefined
  }

  #dispatched (): void {
    const shipment = this.#shipments.shift()
    if (shipment?.isOwned !== true) return
    for (const descriptor of shipment.descriptors) closeDescriptor(descriptor)
  }
}
