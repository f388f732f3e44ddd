import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  bytesOf,
  DEVICE_RESET,
  EINVAL,
  ERROR,
  join,
  message,
  NO_REPLY,
  quads,
  RawClient,
  REGION_READ,
  REGION_WRITE,
  REPLY,
  VERSION,
  version,
  words
} from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** A REGION_READ: offset at 0, region at 8, count at 12. */
function read (region: number, offset: number | bigint, count: number): Uint8Array {
  return join(quads(offset), words(region, count))
}

describe('REGION_READ', () => {
  let server: TestServer
  let client: RawClient

  beforeEach(async () => {
    server = await startServer()
    client = await RawClient.open(server.path)
    server.device.memory.get(7)!.set([1, 2, 3, 4, 5, 6, 7, 8])
  })

  afterEach(async () => {
    client.close()
    await server.close()
  })

  it.each([[1], [2], [3], [4], [8]])('gives %i bytes after the fields of the request', async count => {
    const request = read(7, 0, count)

    const reply = await client.request(REGION_READ, request, { id: 42 })

    expect(reply).toMatchObject({ id: 42, command: REGION_READ, size: 32 + count, flags: REPLY, errno: 0 })
    expect(bytesOf(reply)).toEqual([...request, ...[1, 2, 3, 4, 5, 6, 7, 8].slice(0, count)])
  })

  it('reaches the last byte of a region', async () => {
    server.device.memory.get(7)![0xfff] = 0xab

    const reply = await client.request(REGION_READ, read(7, 0xfff, 1))

    expect(bytesOf(reply).at(-1)).toBe(0xab)
  })

  it('gives as much as was agreed on', async () => {
    server.device.memory.get(5)!.fill(0x5a)

    const reply = await client.request(REGION_READ, read(5, 16, 1 << 20))

    expect(reply.size).toBe(32 + (1 << 20))
    expect(new Uint8Array(reply.payload.buffer).subarray(16).every(byte => byte === 0x5a)).toBe(true)
  })

  it('of nothing succeeds', async () => {
    const reply = await client.request(REGION_READ, read(7, 16, 0))

    expect(reply).toMatchObject({ size: 32, flags: REPLY })
    expect(server.device.accesses).toEqual([])
  })

  it('sees what was written before it', async () => {
    client.send(message(REGION_WRITE, join(read(5, 0, 2), new Uint8Array([7, 9])), { flags: NO_REPLY }))

    const reply = await client.request(REGION_READ, read(5, 0, 2))

    expect(bytesOf(reply).slice(16)).toEqual([7, 9])
  })

  it('does not pass a write that takes its time', async () => {
    let open = (): void => undefined
    server.device.gate = new Promise(resolve => {
      open = resolve
    })
    client.send(message(REGION_WRITE, join(read(5, 0, 2), new Uint8Array([7, 9])), { flags: NO_REPLY }))
    client.send(message(REGION_READ, read(5, 0, 2)))
    await vi.waitFor(() => {
      expect(server.device.accesses).toEqual(['write 5 0 2'])
    })
    open()

    expect(bytesOf(await client.next()).slice(16)).toEqual([7, 9])
  })

  it('answers the same id as often as it was asked', async () => {
    for (const offset of [0, 1, 2]) client.send(message(REGION_READ, read(7, offset, 1), { id: 0 }))

    const replies = [await client.next(), await client.next(), await client.next()]

    expect(replies.map(reply => [reply.id, bytesOf(reply).at(-1)])).toEqual([[0, 1], [0, 2], [0, 3]])
  })

  it('answers a thousand requests in their order', async () => {
    const ids = Array.from({ length: 1000 }, (_, nth) => nth)
    await client.sendAll(join(...ids.map(id => message(REGION_READ, read(7, id, 4), { id }))))

    const replies = []
    while (replies.length < ids.length) replies.push(await client.next())

    expect(replies.map(reply => reply.id)).toEqual(ids)
  })

  it('may arrive in two parts, cut anywhere', async () => {
    const bytes = message(REGION_READ, read(7, 4, 4))
    for (let cut = 1; cut < bytes.length; cut++) {
      client.send(bytes.subarray(0, cut))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
      client.send(bytes.subarray(cut))
      expect(bytesOf(await client.next()).slice(16)).toEqual([5, 6, 7, 8])
    }
  })

  it('without a reply is carried out all the same', async () => {
    client.send(message(REGION_READ, read(7, 0, 4), { flags: NO_REPLY }))

    await client.request(REGION_READ, read(7, 4, 4))

    expect(server.device.accesses).toEqual(['read 7 0 4', 'read 7 4 4'])
    expect(client.unread).toBe(0)
  })

  it.each([
    ['a short payload', read(7, 0, 4).subarray(0, 15)],
    ['no payload', words()],
    ['a region out of range', read(9, 0, 4)],
    ['a region far out of range', read(0xffff_ffff, 0, 4)],
    ['a region that is not there', read(3, 0, 4)],
    ['a range past the end', read(7, 0xffd, 4)],
    ['an offset past the end', read(7, 0x1000, 1)],
    ['an offset past the end, of nothing', read(7, 0x1001, 0)],
    ['a range that wraps around', read(7, 2n ** 64n - 2n, 4)],
    ['an offset of 2^63', read(7, 2n ** 63n, 1)],
    ['a count beyond what was agreed on', read(5, 0, (1 << 20) + 1)],
    ['the largest count', read(5, 0, 0xffff_ffff)]
  ])('refuses %s', async (_what, payload) => {
    const reply = await client.request(REGION_READ, payload)

    expect(reply).toMatchObject({ command: REGION_READ, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(server.device.accesses).toEqual([])
  })

  it('refuses counts beyond what the client itself agreed to', async () => {
    client.close()
    client = RawClient.connect(server.path)
    await client.request(VERSION, version('{"capabilities":{"max_data_xfer_size":4096}}'))

    expect(await client.request(REGION_READ, read(5, 0, 4096))).toMatchObject({ flags: REPLY })
    expect(await client.request(REGION_READ, read(5, 0, 4097))).toMatchObject({ errno: EINVAL })
  })

  it('answers a mistake of the device with ones, as its bus does, until a reset brings it back', async () => {
    const before = await client.request(REGION_READ, read(5, 0, 4))
    server.device.failure = new TypeError('a mistake in the device')

    for (let times = 0; times < 2; times++) {
      const reply = await client.request(REGION_READ, read(5, 0, 4))
      expect(reply.flags).toBe(REPLY)
      expect(reply.payload.getUint32(16, true)).toBe(0xffff_ffff)
    }
    await client.request(DEVICE_RESET)
    const after = await client.request(REGION_READ, read(5, 0, 4))
    expect(after.payload.getUint32(16, true)).toBe(before.payload.getUint32(16, true))
  })
})
