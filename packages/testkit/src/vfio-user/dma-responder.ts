import { DmaAccessLayout, QEMU_DMA_ACCESS_BYTES, QemuDmaAccessLayout } from './layouts.js'
import { encodeMessage } from './message.js'
import type { Message } from './message.js'
import { Command, HeaderFlags } from './protocol.js'

/** Memory that a server reaches by message. {@link GuestMemory} is one. */
export interface ServedMemory {
  /** Fills `target` from `iova` on. False where no memory answers. */
  read(iova: number, target: Uint8Array): boolean
  /** Stores `source` from `iova` on. False where no memory answers. */
  write(iova: number, source: Uint8Array): boolean
}

/** How DMA_READ and DMA_WRITE are laid out: as the specification prints them, or as QEMU from 10.1 on has them. */
export type DmaLayout = 'specification' | 'qemu'

/** What a client does with one request for its memory. */
export type DmaBehaviour =
  | { readonly kind: 'answer' }
  | { readonly kind: 'error', readonly errno: number }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'delay', readonly until: Promise<void> }

/** One request for memory, as a test may want to look at it. */
export interface DmaRequest {
  readonly direction: 'read' | 'write'
  readonly iova: number
  readonly byteLength: number
}

const EINVAL = 22
const E2BIG = 7
const EFAULT = 14
const ENOSYS = 38

/** Answers the requests that a server sends to its client, in either layout, from memory of the client. */
export class DmaResponder {
  readonly #memory: ServedMemory | undefined
  readonly #layout: DmaLayout
  readonly #transferBytesMax: number
  /** What is done with the next requests. May be changed at any time. */
  behaviour: (request: DmaRequest) => DmaBehaviour = () => ({ kind: 'answer' })
  /** How many requests of either direction came. */
  requestCount = 0

  constructor (memory: ServedMemory | undefined, layout: DmaLayout, transferBytesMax: number) {
    this.#memory = memory
    this.#layout = layout
    this.#transferBytesMax = transferBytesMax
  }

  /** The reply to a command of the server, or undefined where none is to be sent. */
  async answer (message: Message): Promise<Uint8Array | undefined> {
    const { command, flags } = message.header
    const wantsReply = (flags & HeaderFlags.NO_REPLY) === 0
    if (command !== Command.DMA_READ && command !== Command.DMA_WRITE) return errorReply(message, ENOSYS)
    const request = this.#parse(message)
    if (typeof request === 'number') return errorReply(message, request)
    this.requestCount++
    const behaviour = this.behaviour(request)
    if (behaviour.kind === 'ignore') return undefined
    if (behaviour.kind === 'error') return errorReply(message, behaviour.errno)
    if (behaviour.kind === 'delay') await behaviour.until
    const reply = request.direction === 'read' ? this.#read(message, request) : this.#write(message, request)
    return wantsReply ? reply : undefined
  }

  #parse (message: Message): DmaRequest | number {
    const { view, payload } = message
    const direction = message.header.command === Command.DMA_READ ? 'read' : 'write'
    const fixedBytes = this.#layout === 'qemu' ? QEMU_DMA_ACCESS_BYTES : DmaAccessLayout.byteLength
    if (payload.length < fixedBytes) return EINVAL
    const layout = this.#layout === 'qemu' ? QemuDmaAccessLayout : DmaAccessLayout
    const iova = layout.address.get(view, 0)
    const byteLength = layout.count.get(view, 0)
    if (byteLength > this.#transferBytesMax) return E2BIG
    if (direction === 'write' && byteLength > payload.length - fixedBytes) return E2BIG
    return { direction, iova, byteLength }
  }

  #read (message: Message, request: DmaRequest): Uint8Array {
    // QEMU counts its padding, so its reply has four bytes more than header, fields and data.
    const isQemu = this.#layout === 'qemu'
    const fixedBytes = isQemu ? QEMU_DMA_ACCESS_BYTES : DmaAccessLayout.byteLength
    const dataOffset = isQemu ? QemuDmaAccessLayout.byteLength : DmaAccessLayout.byteLength
    const payload = new Uint8Array(fixedBytes + request.byteLength)
    payload.set(message.payload.subarray(0, dataOffset))
    const target = payload.subarray(dataOffset, dataOffset + request.byteLength)
    if (this.#memory?.read(request.iova, target) !== true) return errorReply(message, EFAULT)
    return reply(message, payload)
  }

  #write (message: Message, request: DmaRequest): Uint8Array {
    const isQemu = this.#layout === 'qemu'
    const dataOffset = isQemu ? QemuDmaAccessLayout.byteLength : DmaAccessLayout.byteLength
    const source = message.payload.subarray(dataOffset, dataOffset + request.byteLength)
    if (this.#memory?.write(request.iova, source) !== true) return errorReply(message, EFAULT)
    // QEMU answers with the header alone. In the specification's table the count of this one reply has 4 bytes, where
    // every other has 8; clients that follow it otherwise send all 8.
    return reply(message, isQemu ? new Uint8Array(0) : message.payload.slice(0, DmaAccessLayout.byteLength))
  }
}

function reply (message: Message, payload: Uint8Array): Uint8Array {
  const { id, command } = message.header
  return encodeMessage({ id, command, flags: HeaderFlags.TYPE_REPLY, payload })
}

function errorReply (message: Message, errno: number): Uint8Array {
  const { id, command } = message.header
  return encodeMessage({ id, command, flags: HeaderFlags.TYPE_REPLY | HeaderFlags.ERROR, error: errno })
}
