import { bytesOf, DMA_MAP, DMA_READ, DMA_WRITE, ERROR, join, message, quads, REPLY, words } from './raw-client.js'
import type { Received, RawClient } from './raw-client.js'

/** How a client lays out DMA_READ and DMA_WRITE: data from byte 16 on, or as QEMU does from byte 12 on. */
export type Layout = 'specification' | 'qemu'

const SIZE = 0x4000

/**
 * Memory of a client that shares no descriptor: answers DMA_READ and DMA_WRITE as the client of one layout would, with
 * the checks that QEMU makes.
 */
export class MessageMemory {
  readonly bytes = new Uint8Array(SIZE)
  /** What was asked, in order. */
  readonly requests: string[] = []
  /** The errno that is answered while it is not 0. */
  errno = 0
  readonly #layout: Layout
  readonly #iova: number

  constructor (layout: Layout, iova: number) {
    this.#layout = layout
    this.#iova = iova
  }

  /** Tells the server of this memory. */
  async map (client: RawClient, flags = 3): Promise<void> {
    await client.request(DMA_MAP, join(words(32, flags), quads(0, this.#iova, SIZE)))
  }

  /** Answers the requests on a connection until `work` is done. */
  async serve<T> (channel: RawClient, work: Promise<T>): Promise<T> {
    channel.responder = request => {
      this.answer(channel, request)
    }
    while (channel.unread > 0) this.answer(channel, await channel.next())
    return await work.finally(() => {
      channel.responder = undefined
    })
  }

  /** Answers one request. */
  answer (channel: RawClient, request: Received): void {
    channel.send(this.replyTo(request))
  }

  /** The reply to one request. */
  replyTo (request: Received): Uint8Array {
    const { id, command, payload } = request
    const offset = Number(payload.getBigUint64(0, true)) - this.#iova
    const count = this.#layout === 'qemu' ? payload.getUint32(8, true) : Number(payload.getBigUint64(8, true))
    this.requests.push(`${command === DMA_READ ? 'read' : 'write'} ${offset} ${count}`)
    if (this.errno !== 0) return message(command, undefined, { id, flags: REPLY | ERROR, errno: this.errno })
    if (offset < 0 || offset + count > SIZE) return message(command, undefined, { id, flags: REPLY | ERROR, errno: 14 })
    if (command === DMA_READ) return message(command, this.#readReply(request, offset, count), { id, flags: REPLY })
    if (command !== DMA_WRITE) throw new Error(`The server sent command ${command}`)
    // QEMU counts the padding of its structure, 16 bytes in all, but has the data after the first 12.
    if (count > payload.byteLength - 16) return message(command, undefined, { id, flags: REPLY | ERROR, errno: 7 })
    const start = this.#layout === 'qemu' ? 12 : 16
    this.bytes.set(bytesOf(request).slice(start, start + count), offset)
    const entry = this.#layout === 'qemu' ? undefined : new Uint8Array(payload.buffer.slice(0, 16))
    return message(command, entry, { id, flags: REPLY })
  }

  #readReply (request: Received, offset: number, count: number): Uint8Array {
    const reply = new Uint8Array(16 + count)
    reply.set(bytesOf(request).slice(0, 16))
    reply.set(this.bytes.subarray(offset, offset + count), this.#layout === 'qemu' ? 12 : 16)
    return reply
  }
}
