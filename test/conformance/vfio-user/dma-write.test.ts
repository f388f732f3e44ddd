import { DmaFault } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MessageMemory } from '../message-memory.js'
import { bytesOf, COMMAND, DMA_WRITE, quads, RawClient } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const IOVA = 0x8000_0000
const PLAIN = '{"capabilities":{"max_msg_fds":16}}'

describe('DMA_WRITE', () => {
  let server: TestServer
  let client: RawClient

  beforeEach(async () => {
    server = await startServer({ socket: { dmaTimeoutMs: 200 } })
    client = await RawClient.open(server.path)
  })

  afterEach(async () => {
    client.close()
    await server.close()
  })

  const write = (iova: number, data: readonly number[]): Promise<DmaFault> => {
    return Promise.resolve(server.device.dma.write(iova, new Uint8Array(data)))
  }

  const reconnect = async (json: string, options: Record<string, unknown> = {}): Promise<void> => {
    client.close()
    await server.close()
    server = await startServer({ socket: { dmaTimeoutMs: 200, ...options } })
    client = await RawClient.open(server.path, json)
  }

  it('has the address at 0, the count at 8 and data from 16 on, as the specification prints it', async () => {
    await reconnect(PLAIN, { dmaMessageLayout: 'specification' })
    await new MessageMemory('specification', IOVA).map(client)
    void write(IOVA + 0x20, [1, 2, 3, 4, 5])

    const request = await client.next()

    expect(request).toMatchObject({ command: DMA_WRITE, size: 16 + 16 + 5, flags: COMMAND, errno: 0, descriptors: [] })
    expect(bytesOf(request)).toEqual([...quads(IOVA + 0x20, 5), 1, 2, 3, 4, 5])
  })

  it('has data from 12 on, and four bytes of nothing after it, as QEMU has it', async () => {
    await reconnect(PLAIN, { dmaMessageLayout: 'qemu' })
    await new MessageMemory('qemu', IOVA).map(client)
    void write(IOVA + 0x20, [1, 2, 3, 4, 5])

    const request = await client.next()

    expect(request).toMatchObject({ command: DMA_WRITE, size: 16 + 16 + 5 })
    expect(bytesOf(request)).toEqual([...quads(IOVA + 0x20, 5).subarray(0, 12), 1, 2, 3, 4, 5, 0, 0, 0, 0])
  })

  describe.each([['specification' as const], ['qemu' as const]])('to a client with the layout %s', layout => {
    it.each([
      ['over zeroes', [0, 0, 0, 0, 0, 0, 0, 0]],
      ['over data', [9, 9, 9, 9, 9, 9, 9, 9]],
      ['over data that leaves the layout open', [0, 0, 0, 0, 9, 0, 0, 0, 0]]
    ])('stores data %s', async (_what, before) => {
      const memory = new MessageMemory(layout, IOVA)
      await memory.map(client)
      memory.bytes.set(before, 0x40)

      const fault = await memory.serve(client, write(IOVA + 0x40, [1, 2, 3, 4, 5, 6, 7, 8]))

      expect(fault).toBe(DmaFault.NONE)
      expect([...memory.bytes.subarray(0x3c, 0x4d)])
        .toEqual([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, before[8] ?? 0, 0, 0, 0, 0])
    })

    it('stores several at once', async () => {
      const memory = new MessageMemory(layout, IOVA)
      await memory.map(client)

      await memory.serve(client, Promise.all([write(IOVA, [1, 2]), write(IOVA + 8, [3, 4]), write(IOVA + 16, [5])]))

      expect([...memory.bytes.subarray(0, 18)]).toEqual([1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 5, 0])
    })

    it('stores data in memory that cannot be read, where the layout was told', async () => {
      await reconnect(PLAIN, { dmaMessageLayout: layout })
      const memory = new MessageMemory(layout, IOVA)
      await memory.map(client, 2)

      await memory.serve(client, write(IOVA, [1, 2, 3, 4, 5, 6]))

      expect([...memory.bytes.subarray(0, 8)]).toEqual([1, 2, 3, 4, 5, 6, 0, 0])
    })
  })

  it('of zeroes needs to know no layout', async () => {
    const memory = new MessageMemory('qemu', IOVA)
    await memory.map(client)
    memory.bytes.fill(1)

    await memory.serve(client, write(IOVA, [0, 0, 0, 0, 0, 0]))

    expect(memory.requests).toEqual(['write 0 6'])
    expect([...memory.bytes.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 1, 1])
  })

  it('is cut where it is longer than what was agreed on', async () => {
    await reconnect('{"capabilities":{"max_data_xfer_size":4096}}')
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    const data = Array.from({ length: 10_000 }, (_, at) => at % 251)

    expect(await memory.serve(client, write(IOVA + 3, data))).toBe(DmaFault.NONE)

    expect(Buffer.compare(memory.bytes.subarray(3, 10_003), new Uint8Array(data))).toBe(0)
    expect(memory.requests.every(request => Number(request.split(' ')[2]) <= 4096)).toBe(true)
  })

  it('that the client refuses is a fault', async () => {
    const memory = new MessageMemory('specification', IOVA)
    await memory.map(client)
    memory.errno = 14

    expect(await memory.serve(client, write(IOVA, [1, 2, 3]))).toBe(DmaFault.PEER_FAILED)
  })

  it('in flight fails at once when the client goes', async () => {
    await new MessageMemory('specification', IOVA).map(client)
    const fault = write(IOVA, [1])
    await client.next()

    client.close()

    expect(await fault).not.toBe(DmaFault.NONE)
    client = await RawClient.open(server.path)
  })
})
