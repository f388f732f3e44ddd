import { silentLogger } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import type { DmaMessageLayout } from '../src/dma-layout.js'
import type { DmaRequestDraft } from '../src/dma-request.js'
import { MessageDmaPort } from '../src/message-dma-port.js'
import { Command } from '../src/protocol.js'

const SIZE = 256
const AT = 64
const layouts: DmaMessageLayout[] = ['specification', 'qemu']

/** A client of one layout, that does with a message what the structure in its sources says. */
class Client {
  readonly memory = new Uint8Array(SIZE)
  readonly requests: string[] = []
  /** What the memory looked like after each write. */
  readonly history: Uint8Array[] = []
  isReadable = true
  readonly #layout: DmaMessageLayout

  constructor (layout: DmaMessageLayout) {
    this.#layout = layout
  }

  submit ({ command, byteLength, write, resolve, reject }: DmaRequestDraft): void {
    const message = new Uint8Array(byteLength)
    const view = new DataView(message.buffer)
    write(view, message, 0)
    const iova = Number(view.getBigUint64(0, true))
    const count = this.#layout === 'qemu' ? view.getUint32(8, true) : Number(view.getBigUint64(8, true))
    const data = this.#layout === 'qemu' ? 12 : 16
    this.requests.push(`${command === Command.DMA_READ ? 'read' : 'write'} ${iova} ${count}`)
    const reply = new Uint8Array(16 + count)
    const isRefused = command === Command.DMA_READ && !this.isReadable
    if (command === Command.DMA_READ) {
      reply.set(this.memory.subarray(iova, iova + count), data)
    } else {
      this.memory.set(message.subarray(data, data + count), iova)
      this.history.push(this.memory.slice())
    }
    setImmediate(() => isRefused ? reject(new Error('refused')) : resolve(new DataView(reply.buffer), 0, reply.length))
  }
}

function open (layout: DmaMessageLayout, before: readonly number[] = []): { client: Client, port: MessageDmaPort } {
  const client = new Client(layout)
  client.memory.set(before, AT)
  return { client, port: new MessageDmaPort(client, { transferBytesMax: SIZE, layout: undefined }, silentLogger) }
}

/** Bytes that held something that was neither there before nor belongs there. */
function strayBytes (history: readonly Uint8Array[], before: Uint8Array, after: Uint8Array): string[] {
  return history.flatMap((memory, nth) =>
    [...memory].flatMap((byte, at) =>
      byte === before[at] || byte === after[at] ? [] : [`write ${nth} left ${byte} at ${at}`]
    )
  )
}

/** A completion queue entry as bytes: four words, of which the last one has the phase. */
function completion (...words: readonly number[]): number[] {
  return [...new Uint8Array(Uint32Array.from(words).buffer)]
}

const PHASE = 1 << 16
const OLD_ENTRY = completion(0x0101_0101, 0x0202_0202, 0x0303_0303, 0)

describe.each(layouts)('the first write to a client of the layout %s', layout => {
  it.each([
    ['bytes over zeroes', [1, 2, 3, 4, 5, 6, 7], []],
    ['bytes over other bytes', [1, 2, 3, 4, 5, 6, 7], [9, 9, 9, 9, 9, 9, 9, 9, 9]],
    ['bytes after zeroes', [0, 0, 0, 0, 0, 6, 7, 8, 9, 0, 0, 0], []],
    ['a short word at the end', [0, 0, 0, 0, 0, 0, 0, 0, 0, 5], []],
    ['one byte', [5], []],
    ['a completion over zeroes', completion(0, 0, 7, PHASE | 9), []],
    ['a completion over an older one', completion(0, 0, 7, PHASE | 9), completion(0, 0, 3, 4)],
    ['a completion with nothing but its status', completion(0, 0, 0, PHASE), OLD_ENTRY],
    ['completions of another phase', completion(0, 0, 7, 8, 5, 0, 8, 9), completion(0, 0, 1, PHASE, 0, 0, 2, PHASE)],
    ['completions over zeroes', completion(0, 0, 0, PHASE | 1, 0, 0, 0, PHASE | 2), []]
  ])('stores %s, and nothing else at any time', async (_what, source, old) => {
    const { client, port } = open(layout, old)
    const before = client.memory.slice()
    const after = before.slice()
    after.set(source, AT)

    await port.write(AT, Uint8Array.from(source))

    expect(client.memory).toEqual(after)
    expect(strayBytes(client.history, before, after)).toEqual([])
    expect(port.layout).toBe(layout)
  })

  it('shows no entry of a completion queue before the whole of it is there', async () => {
    const { client, port } = open(layout, OLD_ENTRY)
    const entry = completion(0, 0, 0, PHASE | 5)

    await port.write(AT, Uint8Array.from([...entry, ...completion(0, 0, 9, PHASE | 6)]))

    const valid = client.history.map(memory => memory.subarray(AT, AT + 16)).filter(bytes => bytes[14] === 1)
    expect(valid.length).toBeGreaterThan(0)
    expect(valid.filter(bytes => Buffer.compare(bytes, Uint8Array.from(entry)) !== 0)).toEqual([])
  })

  it('is one write where a read told the layout before', async () => {
    const { client, port } = open(layout, [1, 2, 3, 4])
    await port.read(AT, new Uint8Array(4))

    await port.write(AT + 8, Uint8Array.of(0, 0, 0, 0, 5))

    expect(client.requests).toEqual([`read ${AT} 4`, `write ${AT + 8} 5`])
  })

  it('finds out the layout for all that come while it does', async () => {
    const { client, port } = open(layout)

    await Promise.all([1, 2, 3].map(nth => port.write(AT + 8 * nth, Uint8Array.of(0, 0, 0, 0, nth))))

    expect(client.requests.filter(request => request.startsWith('read'))).toHaveLength(2)
    expect([1, 2, 3].map(nth => client.memory[AT + 8 * nth + 4])).toEqual([1, 2, 3])
    expect(client.memory.filter(byte => byte !== 0)).toHaveLength(3)
  })

  it('decides nothing where the memory cannot be read', async () => {
    const { client, port } = open(layout)
    client.isReadable = false

    await port.write(AT, Uint8Array.of(1, 2, 3, 4))

    expect(port.layout).toBeUndefined()
    client.isReadable = true
    await port.write(AT + 32, Uint8Array.of(5, 6))
    expect([port.layout, ...client.memory.subarray(AT + 32, AT + 35)]).toEqual([layout, 5, 6, 0])
  })
})
