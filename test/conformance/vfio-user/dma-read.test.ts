import { DmaFault } from '@pcikit/core'
import { UnixSocket } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MessageMemory } from '../message-memory.js'
import {
  bytesOf,
  COMMAND,
  DMA_MAP,
  DMA_READ,
  DMA_UNMAP,
  ERROR,
  join,
  message,
  quads,
  RawClient,
  REGION_READ,
  REPLY,
  VERSION,
  version,
  words
} from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const IOVA = 0x8000_0000

describe('DMA_READ', () => {
  let server: TestServer
  let client: RawClient

  beforeEach(async () => {
    server = await startServer({ socket: { dmaTimeoutMs: 200, dmaRequestsMax: 4 } })
    client = await RawClient.open(server.path)
  })

  afterEach(async () => {
    client.close()
    await server.close()
  })

  /** Starts a read of the device, and gives it with the bytes that it fills. */
  const read = (iova: number, count: number): { target: Uint8Array, fault: Promise<DmaFault> } => {
    const target = new Uint8Array(count)
    return { target, fault: Promise.resolve(server.device.dma.read(iova, target)) }
  }

  it('is a command with the address at 0 and the count, 64 bits wide, at 8', async () => {
    await new MessageMemory('specification', IOVA).map(client)
    void read(IOVA + 0x123, 0x40)

    const request = await client.next()

    expect(request).toMatchObject({ command: DMA_READ, size: 32, flags: COMMAND, errno: 0, descriptors: [] })
    expect(bytesOf(request)).toEqual([...quads(IOVA + 0x123, 0x40)])
  })

  describe.each([['specification' as const], ['qemu' as const]])('of a client with the layout %s', layout => {
    it.each([
      ['data without zeroes', [1, 2, 3, 4, 5, 6, 7, 8]],
      ['data that starts with zeroes', [0, 0, 0, 0, 0, 0, 7, 8]],
      ['data that ends with zeroes', [1, 2, 0, 0, 0, 0, 0, 0]],
      ['data with zeroes around', [0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0]],
      ['one byte', [9]],
      ['zeroes and nothing else', [0, 0, 0, 0, 0, 0, 0, 0]]
    ])('reads %s', async (_what, data) => {
      const memory = new MessageMemory(layout, IOVA)
      await memory.map(client)
      memory.bytes.set(data, 0x100)

      const { target, fault } = read(IOVA + 0x100, data.length)

      expect(await memory.serve(client, fault)).toBe(DmaFault.NONE)
      expect([...target]).toEqual(data)
    })

    it('asks no more than once when it knows the layout', async () => {
      const memory = new MessageMemory(layout, IOVA)
      await memory.map(client)
      memory.bytes.set([0, 0, 0, 0, 5, 0, 0, 0, 0], 0)
      await memory.serve(client, read(IOVA, 9).fault)
      memory.requests.length = 0

      const { target, fault } = read(IOVA, 9)
      await memory.serve(client, fault)

      expect(memory.requests).toEqual(['read 0 9'])
      expect([...target]).toEqual([0, 0, 0, 0, 5, 0, 0, 0, 0])
    })
  })

  it.each([['specification' as const], ['qemu' as const]])('obeys an option that says %s', async layout => {
    client.close()
    await server.close()
    server = await startServer({ socket: { dmaMessageLayout: layout } })
    client = await RawClient.open(server.path)
    const memory = new MessageMemory(layout, IOVA)
    await memory.map(client)
    memory.bytes.set([0, 0, 0, 0, 5, 0, 0, 0, 0], 0)

    const { target, fault } = read(IOVA, 9)
    await memory.serve(client, fault)

    expect(memory.requests).toEqual(['read 0 9'])
    expect([...target]).toEqual([0, 0, 0, 0, 5, 0, 0, 0, 0])
  })

  it('is cut where it is longer than what was agreed on', async () => {
    client.close()
    client = await RawClient.open(server.path, '{"capabilities":{"max_data_xfer_size":4096}}')
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.bytes.forEach((_, at) => {
      memory.bytes[at] = at % 251 + 1
    })

    const { target, fault } = read(IOVA + 0x10, 10_000)

    expect(await memory.serve(client, fault)).toBe(DmaFault.NONE)
    expect(Buffer.compare(target, memory.bytes.subarray(0x10, 0x10 + 10_000))).toBe(0)
    expect(memory.requests.every(request => Number(request.split(' ')[2]) <= 4096)).toBe(true)
  })

  it('that the client refuses is a fault', async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.errno = 14

    expect(await memory.serve(client, read(IOVA, 8).fault)).toBe(DmaFault.PEER_FAILED)
  })

  it.each([
    ['is too short', message(DMA_READ, quads(IOVA, 8), { flags: REPLY })],
    ['has a header only', message(DMA_READ, undefined, { flags: REPLY })],
    ['has an error and an errno of 0', message(DMA_READ, undefined, { flags: REPLY | ERROR })]
  ])('with a reply that %s is a fault', async (_what, reply) => {
    await new MessageMemory('specification', IOVA).map(client)
    const { fault } = read(IOVA, 8)
    const { id } = await client.next()

    new DataView(reply.buffer).setUint16(0, id, true)
    client.send(reply)

    expect(await fault).toBe(DmaFault.PEER_FAILED)
  })

  it("that gets no answer is a fault in time, and a late answer is nobody's", async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    const { target, fault } = read(IOVA, 8)
    const request = await client.next()
    expect(await fault).toBe(DmaFault.PEER_FAILED)
    memory.bytes.fill(7)

    memory.answer(client, request)

    expect(await client.request(REGION_READ, join(quads(0), words(7, 1)))).toMatchObject({ flags: REPLY })
    expect([...target]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })

  it('in flight fails at once when the client goes', async () => {
    await new MessageMemory('specification', IOVA).map(client)
    const { fault } = read(IOVA, 8)
    await client.next()

    client.close()

    expect(await fault).not.toBe(DmaFault.NONE)
    client = await RawClient.open(server.path)
  })

  it('waits where too many are in flight', async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.bytes.fill(1)
    await memory.serve(client, read(IOVA, 8).fault)
    const reads = Array.from({ length: 10 }, (_, nth) => read(IOVA + nth * 8, 8).fault)
    const requests = [await client.next(), await client.next(), await client.next(), await client.next()]
    await new Promise(resolve => {
      setImmediate(resolve)
    })
    expect(client.unread).toBe(0)

    requests.forEach(request => {
      memory.answer(client, request)
    })

    expect(await memory.serve(client, Promise.all(reads))).toEqual(new Array(10).fill(DmaFault.NONE))
  })

  it('has answers in any order, each for its own request', async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.bytes.forEach((_, at) => {
      memory.bytes[at] = at % 251 + 1
    })
    await memory.serve(client, read(IOVA, 8).fault)
    const reads = [0, 1, 2].map(nth => read(IOVA + nth, 1))
    const requests = [await client.next(), await client.next(), await client.next()]

    requests.reverse().forEach(request => {
      memory.answer(client, request)
    })
    await Promise.all(reads.map(({ fault }) => fault))

    expect(reads.map(({ target }) => target[0])).toEqual([1, 2, 3])
  })

  it('is answered between the commands of the client, also while one of them waits for it', async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.bytes.fill(3)
    await memory.serve(client, read(IOVA, 8).fault)
    const { target, fault } = read(IOVA, 8)
    const request = await client.next()

    const unmap = join(words(24, 0), quads(IOVA, 0x4000))
    client.send(message(DMA_UNMAP, unmap, { id: 77 }))
    client.send(message(REGION_READ, join(quads(0), words(7, 1)), { id: 78 }))
    memory.answer(client, request)

    await fault
    expect([(await client.next()).id, (await client.next()).id]).toEqual([77, 78])
    expect(target.length).toBe(8)
  })

  it('goes over the twin socket where one was agreed on', async () => {
    client.close()
    client = RawClient.connect(server.path)
    const reply = await client.request(VERSION, version('{"capabilities":{"twin_socket":{"supported":true}}}'))
    const twin = new RawClient(UnixSocket.fromDescriptor(reply.descriptors[0]!))
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.bytes.set([1, 2, 3, 4], 0)

    const { target, fault } = read(IOVA, 4)

    expect(await memory.serve(twin, fault)).toBe(DmaFault.NONE)
    expect([...target]).toEqual([1, 2, 3, 4])
    expect(client.unread).toBe(0)
    twin.close()
  })

  it('fails where the client closed its twin socket, and the session lives on', async () => {
    client.close()
    client = RawClient.connect(server.path)
    const before = descriptorCount()
    const reply = await client.request(VERSION, version('{"capabilities":{"twin_socket":{"supported":true}}}'))
    const twin = new RawClient(UnixSocket.fromDescriptor(reply.descriptors[0]!))
    await new MessageMemory('specification', IOVA).map(client)
    twin.close()
    await client.request(REGION_READ, join(quads(0), words(7, 1)))

    expect(await read(IOVA, 4).fault).toBe(DmaFault.PEER_FAILED)
    expect(await client.request(DMA_MAP, join(words(32, 3), quads(0, 0, 0x1000)))).toMatchObject({ flags: REPLY })
    client.close()
    client = await RawClient.open(server.path)
    expect(descriptorCount()).toBeLessThanOrEqual(before + 1)
  })
})
