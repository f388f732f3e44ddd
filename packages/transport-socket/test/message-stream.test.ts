import { closeDescriptor, createEventFd, UnixSocket } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeAll } from '../src/descriptor-ledger.js'
import { Header } from '../src/layouts/header.js'
import { MessageStream } from '../src/message-stream.js'
import type { MessageSink, StreamLimits } from '../src/message-stream.js'
import { descriptorCount, join, message, turn, words } from './wire-bytes.js'

const DMA_MAP = 2
const DMA_UNMAP = 3
const SET_IRQS = 8
const WRITE = 10
const READ_REPLY = 11
const REPLY = 1

const LIMITS: StreamLimits = {
  messageBytesMax: 256 << 10,
  descriptorsMax: 4,
  queuedCommandsMax: 8,
  queuedBytesMax: 1 << 20
}

/** Takes down what a stream hands on. */
class Notes implements MessageSink {
  readonly log: string[] = []
  readonly payloads: number[][] = []
  /** What commands wait for. */
  gate: Promise<void> | undefined = undefined

  onCommand: MessageSink['onCommand'] = message => {
    const excess = message.hadExcessDescriptors ? ' too many' : ''
    this.log.push(`${message.command}:${message.messageId} ${message.descriptors.length}${excess}`)
    closeAll(message.takeDescriptors())
    const { view, position, byteLength } = message
    const read = (): void => {
      this.payloads.push([...new Uint8Array(view.buffer, position, byteLength)])
    }
    return this.gate === undefined ? read() : this.gate.then(read)
  }

  onReply: MessageSink['onReply'] = (view, position, byteLength) => {
    this.log.push(`reply ${Header.messageId.get(view, position)} of ${byteLength}`)
  }

  onFramingError: MessageSink['onFramingError'] = (_view, _position, reason) => {
    this.log.push(`framing: ${reason}`)
  }

  onUnexpectedDescriptors: MessageSink['onUnexpectedDescriptors'] = count => {
    this.log.push(`unexpected ${count}`)
  }

  onEnd: MessageSink['onEnd'] = errno => {
    this.log.push(`end ${errno}`)
  }
}

describe('MessageStream', () => {
  let client: UnixSocket
  let stream: MessageStream
  let notes: Notes
  let before: number
  let event: number

  beforeEach(() => {
    before = descriptorCount()
    event = createEventFd()
    const [near, far] = UnixSocket.pair()
    client = far
    notes = new Notes()
    stream = new MessageStream(near, notes, LIMITS)
    stream.start()
  })

  afterEach(() => {
    stream.close()
    client.close()
    closeDescriptor(event)
    expect(descriptorCount()).toBe(before)
  })

  const send = (bytes: Uint8Array, descriptors = 0): void => {
    expect(client.send(bytes, 0, bytes.length, new Array<number>(descriptors).fill(event))).toBe(bytes.length)
  }

  it('hands on two messages whichever way they are cut in two', async () => {
    const bytes = join(message(WRITE, [1, 2, 3], { id: 1 }), message(WRITE, [4], { id: 2 }))
    for (let cut = 1; cut < bytes.length; cut++) {
      send(bytes.subarray(0, cut))
      await turn()
      send(bytes.subarray(cut))
      await turn()
      await turn()
    }

    expect(notes.payloads).toEqual(
      Array.from({ length: 2 * (bytes.length - 1) }, (_, nth) => nth % 2 ? [4] : [1, 2, 3])
    )
  })

  it('hands on messages that arrive byte by byte', async () => {
    for (const byte of message(WRITE, [7, 8])) {
      send(Uint8Array.of(byte))
      await turn()
    }
    await turn()

    expect(notes.payloads).toEqual([[7, 8]])
  })

  it('hands on a message that is larger than its buffer, and small ones after it', async () => {
    const payload = Array.from({ length: 200_000 }, (_, nth) => nth & 0xff)
    const bytes = join(message(WRITE, payload, { id: 1 }), message(WRITE, [1], { id: 2 }))
    for (let at = 0; at < bytes.length;) {
      const sent = client.send(bytes, at, bytes.length - at)
      at += Math.max(0, sent)
      await turn()
    }
    await turn()

    expect(notes.log).toEqual(['10:1 0', '10:2 0'])
    expect(notes.payloads[0]).toEqual(payload)
  })

  it.each([[0], [15], [LIMITS.messageBytesMax + 1], [0xffff_ffff]])('stops at a size of %i', async size => {
    send(join(message(WRITE, [1]), message(WRITE, [], { size }), message(WRITE, [2])))
    await turn()

    expect(notes.log).toEqual(['10:1 0', expect.stringMatching(`^framing: a message of ${size} bytes`)])
  })

  it('takes a message of the largest size, and allocates nothing before its bytes come', async () => {
    send(message(WRITE, [], { size: LIMITS.messageBytesMax }))
    await turn()

    expect(notes.log).toEqual([])
  })

  describe('gives descriptors', () => {
    it('to the message that they were sent with, although one without was received with it', async () => {
      send(message(DMA_MAP, [], { id: 1 }))
      send(message(DMA_MAP, [], { id: 2 }), 1)
      send(message(DMA_MAP, [], { id: 3 }))
      await turn()
      await turn()

      expect(notes.log).toEqual(['2:1 0', '2:2 1', '2:3 0'])
    })

    it('to the nearest message before that takes some, where several were sent together', async () => {
      send(join(message(SET_IRQS, [], { id: 1 }), message(DMA_MAP, [], { id: 2 }), message(WRITE, [], { id: 3 })), 2)
      await turn()

      expect(notes.log).toEqual(['8:1 0', '2:2 2', '10:3 0'])
    })

    it('to an unmap', async () => {
      send(join(message(WRITE), message(DMA_UNMAP, [], { id: 2 })), 1)
      await turn()

      expect(notes.log).toEqual(['10:1 0', '3:2 1'])
    })

    it('to nobody where no message takes them, and closes them', async () => {
      send(join(message(WRITE, [], { id: 1 }), message(WRITE, [], { id: 2 })), 3)
      await turn()

      expect(notes.log).toEqual(['unexpected 3', '10:1 0', '10:2 0'])
    })

    it('not to a message that was received before', async () => {
      send(message(DMA_MAP, [], { id: 1 }))
      await turn()
      send(message(WRITE, [], { id: 2 }), 1)
      await turn()

      expect(notes.log).toEqual(['2:1 0', 'unexpected 1', '10:2 0'])
    })

    it('to the message whose first byte they came with, wherever it is cut', async () => {
      const bytes = message(SET_IRQS, words(1, 2, 3))
      for (let cut = 1; cut < bytes.length; cut++) {
        send(message(DMA_MAP, [], { id: 9 }))
        send(bytes.subarray(0, cut), 1)
        await turn()
        await turn()
        send(bytes.subarray(cut))
        await turn()
        await turn()
      }

      expect(notes.log).toEqual(Array.from({ length: 2 * (bytes.length - 1) }, (_, nth) => nth % 2 ? '8:1 1' : '2:9 0'))
    })

    it('together, where they come with different parts of one message', async () => {
      const bytes = message(SET_IRQS, words(1, 2, 3))
      send(bytes.subarray(0, 10), 1)
      await turn()
      send(bytes.subarray(10, 20), 1)
      await turn()
      send(bytes.subarray(20), 2)
      await turn()
      await turn()

      expect(notes.log).toEqual(['8:1 4'])
    })

    it('to nobody where they are more than agreed on, and says so', async () => {
      const bytes = message(SET_IRQS, words(1, 2, 3))
      send(bytes.subarray(0, 10), 3)
      await turn()
      send(bytes.subarray(10, 12), 2)
      await turn()
      send(bytes.subarray(12), 1)
      await turn()
      send(message(SET_IRQS, [], { id: 2 }), 1)
      await turn()
      await turn()

      expect(notes.log).toEqual(['8:1 0 too many', '8:2 1'])
    })

    it('to nobody where the message never ends, and closes them with the stream', async () => {
      send(message(SET_IRQS).subarray(0, 2), 4)
      await turn()
      send(message(SET_IRQS).subarray(2, 15), 3)
      await turn()

      expect(notes.log).toEqual([])
    })

    it('of commands that wait to those commands', async () => {
      let open = (): void => undefined
      notes.gate = new Promise(resolve => {
        open = resolve
      })
      send(message(WRITE, [], { id: 1 }))
      for (const id of [2, 3, 4]) send(message(DMA_MAP, [], { id }), id)
      for (let nth = 0; nth < 5; nth++) await turn()
      expect(notes.log).toEqual(['10:1 0'])

      open()
      for (let nth = 0; nth < 5; nth++) await turn()

      expect(notes.log).toEqual(['10:1 0', '2:2 2', '2:3 3', '2:4 4'])
    })
  })

  describe('while a command takes its time', () => {
    let open: () => void

    beforeEach(async () => {
      notes.gate = new Promise(resolve => {
        open = resolve
      })
      send(message(WRITE, [1, 2, 3], { id: 1 }))
      await turn()
    })

    it('hands on replies at once, and commands later, in order', async () => {
      send(message(WRITE, [4], { id: 2 }))
      send(message(READ_REPLY, [5, 6], { id: 3, flags: REPLY }))
      send(message(WRITE, [7], { id: 4 }))
      await turn()
      await turn()
      expect(notes.log).toEqual(['10:1 0', 'reply 3 of 18'])

      open()
      await turn()

      expect(notes.log).toEqual(['10:1 0', 'reply 3 of 18', '10:2 0', '10:4 0'])
      expect(notes.payloads).toEqual([[1, 2, 3], [4], [7]])
    })

    it('keeps what the command reads, however much arrives', async () => {
      for (let nth = 0; nth < 6; nth++) {
        send(message(READ_REPLY, new Array<number>(100_000).fill(9), { id: nth, flags: REPLY }))
        await turn()
        await turn()
      }

      open()
      await turn()

      expect(notes.payloads).toEqual([[1, 2, 3]])
      expect(notes.log).toHaveLength(7)
    })

    it('stops reading at a bound, and goes on afterwards', async () => {
      for (let id = 2; id < 40; id++) send(message(WRITE, [], { id }))
      for (let nth = 0; nth < 5; nth++) await turn()
      send(message(READ_REPLY, [], { id: 50, flags: REPLY }))
      for (let nth = 0; nth < 5; nth++) await turn()
      expect(notes.log).toEqual(['10:1 0'])

      open()
      for (let nth = 0; nth < 200; nth++) await turn()

      expect(notes.log.filter(line => line.startsWith('10:'))).toHaveLength(39)
      expect(notes.log).toContain('reply 50 of 16')
    })

    it('notices that the client is gone', async () => {
      client.close()
      await turn()
      await turn()

      expect(notes.log).toEqual(['10:1 0', 'end 0'])
    })
  })

  it('hands on everything that came before the end', async () => {
    send(join(...Array.from({ length: 600 }, (_, id) => message(WRITE, [], { id }))))
    client.close()
    for (let nth = 0; nth < 20; nth++) await turn()

    expect(notes.log).toHaveLength(601)
    expect(notes.log.at(-1)).toBe('end 0')
  })

  it('lets others have their turn between many messages', async () => {
    send(join(...Array.from({ length: 1000 }, (_, id) => message(WRITE, [], { id }))))
    await turn()

    const afterOneTurn = notes.log.length

    expect(afterOneTurn).toBeGreaterThan(0)
    expect(afterOneTurn).toBeLessThan(1000)
  })
})
