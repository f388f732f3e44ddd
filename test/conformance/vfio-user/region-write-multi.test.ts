import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  bytesOf,
  EINVAL,
  ERROR,
  join,
  message,
  NO_REPLY,
  quads,
  RawClient,
  REGION_READ,
  REGION_WRITE_MULTI,
  REPLY,
  VERSION,
  version,
  words
} from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** One write: offset at 0, region at 8, count at 12, eight bytes of data at 16. */
function one (region: number, offset: number | bigint, data: number[], count = data.length): Uint8Array {
  return join(quads(offset), words(region, count), new Uint8Array([...data, 0, 0, 0, 0, 0, 0, 0, 0].slice(0, 8)))
}

/** A REGION_WRITE_MULTI: the number of writes at 0, the writes from 8 on. */
function multi (...writes: Uint8Array[]): Uint8Array {
  return join(quads(writes.length), ...writes)
}

describe('REGION_WRITE_MULTI', () => {
  let server: TestServer
  let client: RawClient

  beforeEach(async () => {
    server = await startServer()
    client = await RawClient.open(server.path)
  })

  afterEach(async () => {
    client.close()
    await server.close()
  })

  it('does its writes in their order and tells how many', async () => {
    const reply = await client.request(
      REGION_WRITE_MULTI,
      multi(one(7, 0, [1, 2, 3, 4]), one(7, 2, [9]), one(5, 8, [1, 2, 3, 4, 5, 6, 7, 8]))
    )

    expect(reply).toMatchObject({ command: REGION_WRITE_MULTI, size: 24, flags: REPLY, errno: 0 })
    expect(reply.payload.getBigUint64(0, true)).toBe(3n)
    expect(server.device.accesses).toEqual(['write 7 0 4', 'write 7 2 1', 'write 5 8 8'])
    expect([...server.device.memory.get(7)!.subarray(0, 4)]).toEqual([1, 2, 9, 4])
  })

  it('of no writes succeeds', async () => {
    expect(await client.request(REGION_WRITE_MULTI, multi())).toMatchObject({ size: 24, flags: REPLY })
  })

  it('takes the 200 writes that QEMU puts together, without a reply', async () => {
    const writes = Array.from({ length: 200 }, (_, nth) => one(7, nth, [nth]))
    client.send(message(REGION_WRITE_MULTI, multi(...writes), { flags: NO_REPLY }))

    const reply = await client.request(REGION_READ, join(quads(198), words(7, 3)))

    expect(bytesOf(reply).slice(16)).toEqual([198, 199, 0])
    expect(client.unread).toBe(0)
  })

  it('goes on in order after a write that takes its time', async () => {
    let open = (): void => undefined
    server.device.gate = new Promise(resolve => {
      open = resolve
    })
    client.send(message(REGION_WRITE_MULTI, multi(one(5, 0, [1]), one(7, 0, [2]), one(5, 1, [3]))))
    await vi.waitFor(() => {
      expect(server.device.accesses).toEqual(['write 5 0 1'])
    })

    open()

    expect(await client.next()).toMatchObject({ size: 24, flags: REPLY })
    expect(server.device.accesses).toEqual(['write 5 0 1', 'write 7 0 1', 'write 5 1 1'])
  })

  it('lets writes to a read-only region vanish', async () => {
    expect(await client.request(REGION_WRITE_MULTI, multi(one(6, 0, [1])))).toMatchObject({ flags: REPLY })
    expect(server.device.accesses).toEqual([])
  })

  it.each([
    ['no payload', words()],
    ['a short payload', words(1)],
    ['fewer writes than its number', join(quads(2), one(7, 0, [1]))],
    ['more writes than its number', join(quads(1), one(7, 0, [1]), one(7, 0, [1]))],
    ['a number of writes that overflows', join(quads(2n ** 61n), one(7, 0, [1]))],
    ['a number of writes of 2^64 - 1', join(quads(2n ** 64n - 1n), one(7, 0, [1]))],
    ['half a write', multi(one(7, 0, [1])).subarray(0, 20)],
    ['more than eight bytes in one', multi(one(7, 0, [1, 2, 3, 4, 5, 6, 7, 8], 9))],
    ['a region out of range in one', multi(one(7, 0, [1]), one(9, 0, [1]))],
    ['a region that is not there in one', multi(one(7, 0, [1]), one(8, 0, [1]))],
    ['a range past the end in one', multi(one(7, 0, [1]), one(7, 0xfff, [1, 2]))],
    ['a range that wraps around in one', multi(one(7, 0, [1]), one(7, 2n ** 64n - 1n, [1, 2]))]
  ])('refuses %s and writes nothing', async (_what, payload) => {
    const reply = await client.request(REGION_WRITE_MULTI, payload)

    expect(reply).toMatchObject({ command: REGION_WRITE_MULTI, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(server.device.accesses).toEqual([])
  })

  it('is refused from a client that did not propose it', async () => {
    client.close()
    client = RawClient.connect(server.path)
    await client.request(VERSION, version())

    expect(await client.request(REGION_WRITE_MULTI, multi(one(7, 0, [1])))).toMatchObject({ errno: EINVAL })
  })
})
