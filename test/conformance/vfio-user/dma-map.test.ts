import { DmaFault } from '@pcikit/core'
import { createMemoryFile, closeDescriptor, UnixSocket } from '@pcikit/native'
import { writeSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DMA_MAP,
  EEXIST,
  EINVAL,
  ENOSPC,
  ERROR,
  join,
  message,
  quads,
  RawClient,
  REGION_READ,
  REPLY,
  words
} from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** A DMA_MAP: argsz at 0, flags at 4, offset at 8, address at 16, size at 24. */
function map (fields: {
  readonly argsz?: number
  readonly flags?: number
  readonly offset?: number | bigint
  readonly address?: number | bigint
  readonly size?: number | bigint
}): Uint8Array {
  const { argsz = 32, flags = 3, offset = 0, address = 0, size = 0x1000 } = fields
  return join(words(argsz, flags), quads(offset, address, size))
}

describe('DMA_MAP', () => {
  let server: TestServer
  let client: RawClient
  let file: number

  beforeEach(async () => {
    server = await startServer({ dma: { regionsMax: 4 } })
    client = await RawClient.open(server.path)
    file = createMemoryFile('guest', 0x10_0000)
    writeSync(file, 'here', 0x3010)
  })

  afterEach(async () => {
    client.close()
    closeDescriptor(file)
    await server.close()
  })

  it('makes memory reachable through the descriptor that came with it', async () => {
    const reply = await client.request(DMA_MAP, map({ offset: 0x3000, address: 0x8000_0000 }), { descriptors: [file] })

    expect(reply).toMatchObject({ command: DMA_MAP, size: 16, flags: REPLY, errno: 0 })
    const target = new Uint8Array(4)
    expect(await server.device.dma.read(0x8000_0010, target)).toBe(DmaFault.NONE)
    expect(new TextDecoder().decode(target)).toBe('here')
  })

  it('keeps no descriptor of the client when the client is gone', async () => {
    await client.request(DMA_MAP, map({}), { descriptors: [file] })
    client.close()
    client = await RawClient.open(server.path)
    const before = descriptorCount()

    await client.request(DMA_MAP, map({}), { descriptors: [file] })
    client.close()
    client = await RawClient.open(server.path)

    expect(descriptorCount()).toBe(before)
  })

  it('of memory that can only be read refuses writes of the device', async () => {
    await client.request(DMA_MAP, map({ flags: 1 }), { descriptors: [file] })

    expect(await server.device.dma.write(0, new Uint8Array(4))).toBe(DmaFault.NOT_WRITABLE)
  })

  it('of memory that can only be written refuses reads of the device', async () => {
    await client.request(DMA_MAP, map({ flags: 2 }), { descriptors: [file] })

    expect(await server.device.dma.read(0, new Uint8Array(4))).toBe(DmaFault.NOT_READABLE)
  })

  it('needs no descriptor', async () => {
    expect(await client.request(DMA_MAP, map({}))).toMatchObject({ flags: REPLY })
  })

  it('takes addresses as high as those of SPDK', async () => {
    const reply = await client.request(DMA_MAP, map({ address: 2 ** 45 }), { descriptors: [file] })

    expect(reply.flags).toBe(REPLY)
    expect(await server.device.dma.read(2 ** 45 + 0xff0, new Uint8Array(16))).toBe(DmaFault.NONE)
  })

  it('over an existing region is refused with EEXIST', async () => {
    await client.request(DMA_MAP, map({ size: 0x4000 }), { descriptors: [file] })

    const reply = await client.request(DMA_MAP, map({ address: 0x3000 }), { descriptors: [file] })

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EEXIST })
  })

  it('of more regions than are allowed is refused with ENOSPC', async () => {
    for (const nth of [0, 1, 2, 3]) await client.request(DMA_MAP, map({ address: nth * 0x1000 }))

    expect(await client.request(DMA_MAP, map({ address: 0x10_0000 }))).toMatchObject({ errno: ENOSPC })
  })

  it.each([
    ['a short payload', map({}).subarray(0, 31)],
    ['no payload', new Uint8Array(0)],
    ['an argsz that is too small', map({ argsz: 31 })],
    ['no access at all', map({ flags: 0 })],
    ['flags that nobody knows', map({ flags: 7 })],
    ['a size of 0', map({ size: 0 })],
    ['a range that wraps around', map({ address: 2n ** 64n - 0x1000n, size: 0x2000 })],
    ['a range beyond 2^53', map({ address: 2n ** 53n, size: 0x1000 })],
    ['a size of 2^64 - 1', map({ size: 2n ** 64n - 1n })],
    ['a file offset of 2^63', map({ offset: 2n ** 63n })]
  ])('refuses %s, and closes the descriptor', async (_what, payload) => {
    const before = descriptorCount()

    const reply = await client.request(DMA_MAP, payload, { descriptors: [file] })

    expect(reply).toMatchObject({ command: DMA_MAP, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(descriptorCount()).toBe(before)
  })

  it('refuses two descriptors, and closes both', async () => {
    const before = descriptorCount()

    const reply = await client.request(DMA_MAP, map({}), { descriptors: [file, file] })

    expect(reply.errno).toBe(EINVAL)
    expect(descriptorCount()).toBe(before)
  })

  it('refuses more descriptors than were agreed on, and closes them', async () => {
    const before = descriptorCount()

    const reply = await client.request(DMA_MAP, map({}), { descriptors: new Array<number>(17).fill(file) })

    expect(reply.errno).toBe(EINVAL)
    expect(descriptorCount()).toBe(before)
  })

  it('refuses a descriptor that is no memory, and closes it', async () => {
    const pair = UnixSocket.pair()
    const before = descriptorCount()

    const reply = await client.request(DMA_MAP, map({}), { descriptors: [pair[0].fd] })

    expect(reply.flags).toBe(REPLY | ERROR)
    expect(descriptorCount()).toBe(before)
    pair.forEach(socket => {
      socket.close()
    })
  })

  it('gets its descriptor when others are sent with it', async () => {
    const read = join(quads(0), words(7, 4))
    const bytes = join(
      message(REGION_READ, read, { id: 1 }),
      message(DMA_MAP, map({}), { id: 2 }),
      message(REGION_READ, read, { id: 3 })
    )

    client.send(bytes, [file])

    expect([await client.next(), await client.next(), await client.next()].map(reply => reply.id)).toEqual([1, 2, 3])
    writeSync(file, 'mine', 0)
    const target = new Uint8Array(4)
    expect(await server.device.dma.read(0, target)).toBe(DmaFault.NONE)
    expect(new TextDecoder().decode(target)).toBe('mine')
  })
})
