import { closeDescriptor, createMemoryFile, UnixListener } from '@pcikit/native'
import type { UnixSocket } from '@pcikit/native'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PollingConnection } from '../../src/polling/polling-connection.js'
import { encodeMessage } from '../../src/vfio-user/message.js'
import type { Message } from '../../src/vfio-user/message.js'
import { MessageStream } from '../../src/vfio-user/message-stream.js'

let folder: string
let listener: UnixListener
let answer: (message: Message, socket: UnixSocket) => void
let messages: Message[]
const streams: MessageStream[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  messages = []
  answer = (message, socket) => reply(socket, message, new Uint8Array(message.payload.length))
  listener = UnixListener.listen(join(folder, 'cntrl'))
  listener.onReadable(() => {
    const socket = listener.accept()!
    streams.push(
      new MessageStream(socket, message => {
        messages.push(message)
        answer(message, socket)
      }, () => undefined)
    )
  })
})

afterEach(() => {
  for (const stream of streams.splice(0)) stream.close()
  listener.close()
  rmSync(folder, { recursive: true })
})

function reply (socket: UnixSocket, { header }: Message, payload: Uint8Array, id = header.id): void {
  const bytes = encodeMessage({ id, command: header.command, flags: 1, payload })
  socket.send(bytes, 0, bytes.length)
}

async function connect (): Promise<PollingConnection> {
  return PollingConnection.connect(join(folder, 'cntrl'))
}

describe('PollingConnection', () => {
  it('sends a VERSION of four bytes', async () => {
    const connection = await connect()
    expect(messages[0]!.header).toMatchObject({ command: 1, size: 20, id: 0, flags: 0 })
    connection.close()
  })

  it('gives every message the id 0, and sends one at a time', async () => {
    const connection = await connect()
    await Promise.all([
      connection.writeRegion(0, 0, new Uint8Array(4)),
      connection.writeRegion(0, 4, new Uint8Array(4))
    ])
    expect(messages.map(({ header }) => header.id)).toEqual([0, 0, 0])
    connection.close()
  })

  it('asks for region information with 4080 bytes', async () => {
    const connection = await connect()
    const region = await connection.regionInfo(3)
    expect(messages[1]!.payload).toHaveLength(4080)
    expect([messages[1]!.view.getUint32(0, true), messages[1]!.view.getUint32(8, true)]).toEqual([4080, 3])
    expect(region.mappable).toBe(false)
    connection.close()
  })

  it('unmaps with the descriptor of the region', async () => {
    answer = (message, socket) =>
      reply(socket, message, message.header.command === 3 ? message.payload : new Uint8Array(0))
    const connection = await connect()
    const descriptor = createMemoryFile('memory', 4096)
    await connection.mapDma({ iova: 2 ** 45, byteLength: 4096, descriptor })
    await connection.unmapDma(2 ** 45, 4096)
    expect(messages.map(({ descriptors }) => descriptors.length)).toEqual([0, 1, 1])
    for (const each of [descriptor, ...messages.flatMap(({ descriptors }) => descriptors)]) closeDescriptor(each)
    connection.close()
  })

  it('does not put up with a reply in pieces', async () => {
    const connection = await connect()
    answer = (message, socket) => {
      const bytes = encodeMessage({ command: message.header.command, flags: 1, payload: new Uint8Array(16) })
      socket.send(bytes, 0, 16)
    }
    await expect(connection.writeRegion(0, 0, new Uint8Array(4))).rejects.toMatchObject({ reason: 'protocol' })
    connection.close()
  })

  it('does not put up with a reply of more than 4096 bytes', async () => {
    const connection = await connect()
    answer = (message, socket) => reply(socket, message, new Uint8Array(4097))
    await expect(connection.readRegion(0, 0, 4)).rejects.toMatchObject({ reason: 'protocol' })
    connection.close()
  })

  it('does not answer a command of the server', async () => {
    const connection = await connect()
    answer = (_message, socket) => {
      const bytes = encodeMessage({ command: 11, payload: new Uint8Array(16) })
      socket.send(bytes, 0, bytes.length)
    }
    await expect(connection.readRegion(0, 0, 4)).rejects.toMatchObject({ reason: 'protocol' })
    connection.close()
  })

  it('rejects an error reply with its errno', async () => {
    const connection = await connect()
    answer = (message, socket) => {
      const bytes = encodeMessage({ command: message.header.command, flags: 0x21, error: 22 })
      socket.send(bytes, 0, bytes.length)
    }
    await expect(connection.regionInfo(9)).rejects.toMatchObject({ code: 'EINVAL' })
    connection.close()
  })

  it('rejects what waits when it is closed', async () => {
    const connection = await connect()
    answer = () => undefined
    const reading = connection.readRegion(0, 0, 4)
    await Promise.resolve()
    setImmediate(() => connection.close())
    await expect(reading).rejects.toMatchObject({ name: 'ConnectionError' })
  })
})
