import { Errno, ProtocolError } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  bytesOf,
  EBUSY,
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
  words
} from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** A REGION_WRITE: offset at 0, region at 8, count at 12, data from 16 on. */
function write (region: number, offset: number | bigint, data: number[] | Uint8Array, count = data.length): Uint8Array {
  return join(quads(offset), words(region, count), new Uint8Array(data))
}

function read (region: number, offset: number, count: number): Uint8Array {
  return join(quads(offset), words(region, count))
}

describe('REGION_WRITE', () => {
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

  it.each([[[1]], [[1, 2]], [[1, 2, 3]], [[1, 2, 3, 4]], [[1, 2, 3, 4, 5, 6, 7, 8]]])('stores %j', async data => {
    const request = write(7, 0x40, data)

    const reply = await client.request(REGION_WRITE, request, { id: 0xffff })

    expect(reply).toMatchObject({ id: 0xffff, command: REGION_WRITE, size: 32, flags: REPLY, errno: 0 })
    expect(bytesOf(reply)).toEqual([...request.subarray(0, 16)])
    expect([...server.device.memory.get(7)!.subarray(0x40, 0x48)]).toEqual([...data, 0, 0, 0, 0, 0, 0, 0].slice(0, 8))
  })

  it('without a reply is done before the next reply, and gets none', async () => {
    for (const value of [1, 2, 3]) client.send(message(REGION_WRITE, write(7, value, [value]), { flags: NO_REPLY }))

    const reply = await client.request(REGION_READ, read(7, 0, 4))

    expect(bytesOf(reply).slice(16)).toEqual([0, 1, 2, 3])
    expect(client.unread).toBe(0)
  })

  it('that is wrong gets no reply either, when none was asked for', async () => {
    client.send(message(REGION_WRITE, write(9, 0, [1]), { flags: NO_REPLY }))

    expect(await client.request(REGION_READ, read(7, 0, 4))).toMatchObject({ command: REGION_READ, flags: REPLY })
    expect(client.unread).toBe(0)
  })

  it('takes as much as was agreed on', async () => {
    const data = new Uint8Array(1 << 20).map((_, nth) => nth * 7)

    await client.sendAll(message(REGION_WRITE, write(5, 0x10_0000, data)))

    expect(await client.next()).toMatchObject({ size: 32, flags: REPLY })
    expect(Buffer.compare(server.device.memory.get(5)!.subarray(0x10_0000, 0x20_0000), data)).toBe(0)
  })

  it('keeps its data while it takes its time and others arrive', async () => {
    let open = (): void => undefined
    server.device.gate = new Promise(resolve => {
      open = resolve
    })
    client.send(message(REGION_WRITE, write(5, 0, [1, 2, 3, 4])))
    for (let nth = 0; nth < 40; nth++) {
      await client.sendAll(message(REGION_WRITE, write(5, 4, new Uint8Array(4096).fill(nth)), { flags: NO_REPLY }))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    }

    open()

    expect(await client.next()).toMatchObject({ command: REGION_WRITE, flags: REPLY })
    expect(bytesOf(await client.request(REGION_READ, read(5, 0, 6))).slice(16)).toEqual([1, 2, 3, 4, 39, 39])
  })

  it('of nothing succeeds', async () => {
    expect(await client.request(REGION_WRITE, write(7, 0, []))).toMatchObject({ size: 32, flags: REPLY })
    expect(server.device.accesses).toEqual([])
  })

  // A guest may write to a ROM, and not every client survives an error.
  it('to a read-only region vanishes', async () => {
    expect(await client.request(REGION_WRITE, write(6, 0, [1, 2]))).toMatchObject({ size: 32, flags: REPLY })
    expect(server.device.accesses).toEqual([])
  })

  it.each([
    ['a short payload', read(7, 0, 4).subarray(0, 15)],
    ['no payload', words()],
    ['less data than its count', write(7, 0, [1, 2, 3], 4)],
    ['more data than its count', write(7, 0, [1, 2, 3, 4], 3)],
    ['a region out of range', write(9, 0, [1])],
    ['a region that is not there', write(8, 0, [1])],
    ['a range past the end', write(7, 0xffe, [1, 2, 3, 4])],
    ['a range that wraps around', write(7, 2n ** 64n - 1n, [1, 2])],
    ['a count far beyond its data', write(5, 0, [1], 0xffff_ffff)]
  ])('refuses %s and writes nothing', async (_what, payload) => {
    const reply = await client.request(REGION_WRITE, payload)

    expect(reply).toMatchObject({ command: REGION_WRITE, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(server.device.accesses).toEqual([])
  })

  it('refuses more data than was agreed on, which still fits in a message', async () => {
    await client.sendAll(message(REGION_WRITE, write(5, 0, new Uint8Array((1 << 20) + 1))))

    expect(await client.next()).toMatchObject({ flags: REPLY | ERROR, errno: EINVAL })
    expect(await client.request(REGION_READ, read(7, 0, 4))).toMatchObject({ flags: REPLY })
  })

  it('answers the errno that the device chose', async () => {
    server.device.failure = new ProtocolError(Errno.EBUSY, 'busy')

    expect(await client.request(REGION_WRITE, write(5, 0, [1]))).toMatchObject({ size: 16, errno: EBUSY })
  })

  it('takes what a device makes a mistake of as written, and the session lives on', async () => {
    vi.spyOn(server.device, 'writeRegion').mockRejectedValueOnce(new Error('a mistake that shows later'))

    expect(await client.request(REGION_WRITE, write(5, 0, [1]))).toMatchObject({ flags: REPLY })

    const reply = await client.request(REGION_READ, read(5, 0, 4))
    expect(reply).toMatchObject({ flags: REPLY })
    expect(reply.payload.getUint32(16, true)).toBe(0xffff_ffff)
  })
})
