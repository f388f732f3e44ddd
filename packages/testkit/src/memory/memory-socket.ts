import { constants } from 'node:os'
import { closeDescriptor, duplicateDescriptor, WOULD_BLOCK } from '@pcikit/native'
import type { ClientSocket } from '../vfio-user/client-socket.js'

/** What the kernel has room for between two sockets, unless told otherwise. */
const CAPACITY_BYTES = 212_992
const { EBADF, EPIPE } = constants.errno

/** Bytes of one send, and the descriptors that go with the first of them. */
interface Parcel {
  readonly bytes: Uint8Array
  at: number
  descriptors: readonly number[]
}

/**
 * One end of a connection inside of this process: a stream of bytes with descriptors, as a UNIX socket is one, without
 * the kernel between the two ends. What a send cannot place has to be sent again, a receive ends behind bytes that
 * descriptors came with, and callbacks are called in a turn of their own for as long as there is a reason.
 */
export class MemorySocket implements ClientSocket {
  readonly #capacityBytes: number
  /** What came and was not received yet. */
  readonly #parcels: Parcel[] = []
  #waitingBytes = 0
  #peer: MemorySocket | undefined = undefined
  #isClosed = false
  #onReadable: (() => void) | undefined = undefined
  #onWritable: (() => void) | undefined = undefined
  #isScheduled = false

  private constructor (capacityBytes: number) {
    this.#capacityBytes = capacityBytes
  }

  /** Two ends of one connection, each of which has room for so many bytes that the other one sent. */
  static pair (capacityBytes = CAPACITY_BYTES): [MemorySocket, MemorySocket] {
    const [one, other] = [new MemorySocket(capacityBytes), new MemorySocket(capacityBytes)]
    one.#peer = other
    other.#peer = one
    return [one, other]
  }

  receive (target: Uint8Array, offset: number, length: number, descriptors?: number[]): number {
    if (this.#isClosed) return -EBADF
    if (this.#parcels.length === 0) return this.#peer === undefined ? 0 : WOULD_BLOCK
    let received = 0
    for (let parcel = this.#parcels[0]; parcel !== undefined && received < length; parcel = this.#parcels[0]) {
      const part = parcel.bytes.subarray(parcel.at, parcel.at + length - received)
      target.set(part, offset + received)
      received += part.length
      parcel.at += part.length
      const hasDescriptors = handOver(parcel, descriptors)
      if (parcel.at < parcel.bytes.length) break
      this.#parcels.shift()
      if (hasDescriptors) break
    }
    this.#waitingBytes -= received
    const peer = this.#peer
    if (peer !== undefined) peer.#schedule()
    return received
  }

  send (source: Uint8Array, offset: number, length: number, descriptors: readonly number[] = []): number {
    if (this.#isClosed) return -EBADF
    const peer = this.#peer
    if (peer === undefined) return -EPIPE
    const count = Math.min(length, peer.#capacityBytes - peer.#waitingBytes)
    if (count === 0) return length === 0 ? 0 : WOULD_BLOCK
    const bytes = source.slice(offset, offset + count)
    peer.#parcels.push({ bytes, at: 0, descriptors: descriptors.map(duplicateDescriptor) })
    peer.#waitingBytes += count
    peer.#schedule()
    return count
  }

  onReadable (callback: (() => void) | undefined): void {
    this.#onReadable = callback
    this.#schedule()
  }

  onWritable (callback: (() => void) | undefined): void {
    this.#onWritable = callback
    this.#schedule()
  }

  /** The other end receives what was sent, and then the end. Calling it twice does nothing. */
  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const parcel of this.#parcels.splice(0)) handOver(parcel, undefined)
    const peer = this.#peer
    if (peer === undefined) return
    this.#peer = undefined
    peer.#peer = undefined
    peer.#schedule()
  }

  get #canReceive (): boolean {
    return this.#parcels.length > 0 || this.#peer === undefined
  }

  get #canSend (): boolean {
    return this.#peer === undefined || this.#peer.#waitingBytes < this.#peer.#capacityBytes
  }

  #schedule (): void {
    const hasReason = this.#onReadable !== undefined && this.#canReceive ||
      this.#onWritable !== undefined && this.#canSend
    if (this.#isScheduled || this.#isClosed || !hasReason) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (!this.#isClosed && this.#canReceive) this.#onReadable?.()
      if (!this.#isClosed && this.#canSend) this.#onWritable?.()
      this.#schedule()
    })
  }
}

/** Passes the descriptors of a parcel on, or closes them where nobody takes them. Tells whether there were any. */
function handOver (parcel: Parcel, descriptors: number[] | undefined): boolean {
  const { descriptors: taken } = parcel
  parcel.descriptors = []
  if (descriptors === undefined) taken.forEach(closeDescriptor)
  else descriptors.push(...taken)
  return taken.length > 0
}
