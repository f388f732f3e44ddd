import { silentLogger } from '@pcikit/core'
import { closeDescriptor, createEventFd, UnixSocket } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { socketOptions } from '../src/options.js'
import { Session } from '../src/session.js'
import { FakeDevice } from './fake-device.js'
import { descriptorCount, drain, join, message, turn, words } from './wire-bytes.js'

const VERSION = 1
const DMA_MAP = 2
const DMA_UNMAP = 3
const REGION_READ = 9
const REGION_WRITE = 10
const RESET = 13
const NO_REPLY = 0x10

const version = message(VERSION, [0, 0, 0, 0])
const read = (id: number): Uint8Array => message(REGION_READ, words(0, 0, 0, 1), { id })
const write = (offset: number, flags = 0): Uint8Array =>
  message(REGION_WRITE, [...words(offset, 0, 0, 1), 7], { flags })
const map = (iova: number): Uint8Array => message(DMA_MAP, words(32, 3, 0, 0, iova, 0, 0x1000, 0))
const unmap = (iova: number, id = 1): Uint8Array => message(DMA_UNMAP, words(24, 0, iova, 0, 0x1000, 0), { id })

/** The ids of the messages in some bytes. */
const idsOf = (bytes: Uint8Array): number[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const ids: number[] = []
  for (let at = 0; at < bytes.length; at += view.getUint32(at + 4, true)) ids.push(view.getUint16(at, true))
  return ids
}

describe('Session', () => {
  let client: UnixSocket
  let session: Session
  let device: FakeDevice
  let endings: number
  let before: number

  beforeEach(() => {
    before = descriptorCount()
    const [near, far] = UnixSocket.pair()
    client = far
    device = new FakeDevice()
    endings = 0
    const onEnded = (): void => {
      endings++
    }
    const options = socketOptions.parse({ path: '-', dmaTimeoutMs: 50 })
    session = new Session(near, { endpoint: device.endpoint, options, logger: silentLogger, onEnded })
    session.start()
  })

  afterEach(async () => {
    client.close()
    await session.end('the test is over')
    expect(endings).toBe(1)
    expect(descriptorCount()).toBe(before)
  })

  const send = async (...messages: readonly Uint8Array[]): Promise<void> => {
    const bytes = join(...messages)
    expect(client.send(bytes, 0, bytes.length)).toBe(bytes.length)
    await turn()
    await turn()
  }

  it('tells the device of a client when a version was agreed on, not before', async () => {
    await turn()
    expect([device.isConnected, session.isNegotiated]).toEqual([false, false])

    await send(version)

    expect([device.isConnected, session.isNegotiated]).toEqual([true, true])
    expect(device.port).toBeDefined()
  })

  it('answers in order although some commands take their time', async () => {
    await send(version)
    let open = (): void => undefined
    device.gate = new Promise(resolve => {
      open = resolve
    })
    await send(map(0), unmap(0, 2), read(3), message(RESET, [], { id: 4 }), read(5))
    expect(idsOf(drain(client))).toEqual([1, 1])

    open()
    for (let nth = 0; nth < 5; nth++) await turn()

    expect(idsOf(drain(client))).toEqual([2, 3, 4, 5])
  })

  it('sends all replies of a turn with one call', async () => {
    await send(version)
    drain(client)
    await send(read(1), read(2), read(3))

    const bytes = new Uint8Array(4096)

    expect(idsOf(bytes.subarray(0, client.receive(bytes, 0, bytes.length)))).toEqual([1, 2, 3])
  })

  it('sends nothing for posted writes', async () => {
    await send(version)
    drain(client)

    await send(write(1, NO_REPLY), write(2, NO_REPLY))

    expect(device.log).toEqual(['write 1', 'write 2'])
    expect(drain(client)).toHaveLength(0)
  })

  it('sends requests for memory while a command is held, and takes their answers', async () => {
    await send(version)
    let open = (): void => undefined
    device.gate = new Promise(resolve => {
      open = resolve
    })
    await send(write(0))
    drain(client)
    const target = new Uint8Array(4)
    const reading = device.port!.read(0x1000, target)
    await turn()
    const request = drain(client)

    const reply = message(11, [...words(0x1000, 0, 4, 0), 1, 2, 3, 4], { id: idsOf(request)[0]!, flags: 1 })
    await send(reply)
    await reading

    expect([...target]).toEqual([1, 2, 3, 4])
    expect(device.log).toEqual([])
    open()
  })

  it('rejects requests for memory that nobody answers in time', async () => {
    await send(version)

    await expect(device.port!.write(0, Uint8Array.of(0))).rejects.toThrow(/50 ms/)
  })

  it('ends in order: requests fail, the device loses its client, then the socket closes', async () => {
    await send(version)
    drain(client)
    const order: string[] = []
    const { port } = device
    const failing = port!.read(0, new Uint8Array(4)).catch(() => order.push(`requests, ${device.log.join()}`))
    let open = (): void => undefined
    device.gate = new Promise(resolve => {
      open = resolve
    })
    await turn()
    drain(client)

    const ending = session.end('a test').then(() => order.push('ended'))
    await failing
    expect(client.receive(new Uint8Array(16), 0, 16)).toBe(-11)
    open()
    await ending

    expect(order).toEqual([expect.stringMatching(/^requests/), 'ended'])
    expect(client.receive(new Uint8Array(16), 0, 16)).toBe(0)
    await expect(port!.read(0, new Uint8Array(4))).rejects.toThrow(/gone/)
  })

  it('closes the descriptors of commands that never had their turn', async () => {
    await send(version)
    const event = createEventFd()
    let open = (): void => undefined
    device.gate = new Promise(resolve => {
      open = resolve
    })
    await send(write(0))
    for (const iova of [0, 0x1000]) {
      const bytes = map(iova)
      client.send(bytes, 0, bytes.length, [event])
      await turn()
    }

    client.close()
    const ending = session.end('the client left')
    open()
    await ending

    expect(device.log).not.toContain('map 0 with a descriptor')
    closeDescriptor(event)
  })

  it('ends once, whoever asks', async () => {
    await send(version)

    await Promise.all([session.end('one'), session.end('two')])

    expect(device.log).toEqual(['disconnect'])
  })

  it('stops reading from a client that takes no replies, until it does', async () => {
    await send(version)
    drain(client)
    const request = message(REGION_READ, words(0, 0, 0, 0x1000))
    const batch = join(...new Array<Uint8Array>(50).fill(request))
    let sent = 0
    for (let nth = 0; nth < 200; nth++) {
      const result = client.send(batch, sent % batch.length, batch.length - sent % batch.length)
      if (result > 0) sent += result
      await turn()
    }
    expect(sent).toBeLessThan(200 * batch.length)

    let answered = 0
    const wanted = Math.floor(sent / request.length)
    for (let nth = 0; nth < 2000 && answered < wanted * (32 + 0x1000); nth++) {
      answered += drain(client).length
      await turn()
    }

    expect(answered).toBe(wanted * (32 + 0x1000))
  })
})
