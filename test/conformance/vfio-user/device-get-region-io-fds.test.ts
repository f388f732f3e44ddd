import { closeDescriptor, readEventFd, signalEventFd } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DEVICE_GET_REGION_IO_FDS,
  EINVAL,
  ENOSPC,
  ERROR,
  RawClient,
  REPLY,
  VERSION,
  version,
  words
} from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** A DEVICE_GET_REGION_IO_FDS: argsz at 0, flags at 4, index at 8, count at 12. */
function ask (index: number, { argsz = 512, flags = 0, count = 0 } = {}): Uint8Array {
  return words(argsz, flags, index, count)
}

const NEEDED = 16 + 3 * 40

describe('DEVICE_GET_REGION_IO_FDS', () => {
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

  it('lists writes that come as events, and sends each descriptor once', async () => {
    const reply = await client.request(DEVICE_GET_REGION_IO_FDS, ask(2, { argsz: NEEDED }))

    const { payload, descriptors } = reply
    const entry = (at: number) => ({
      offset: payload.getBigUint64(at, true),
      size: payload.getBigUint64(at + 8, true),
      fdIndex: payload.getUint32(at + 16, true),
      type: payload.getUint32(at + 20, true),
      flags: payload.getUint32(at + 24, true),
      padding: payload.getUint32(at + 28, true),
      datamatch: payload.getBigUint64(at + 32, true)
    })
    expect(reply).toMatchObject({ size: 16 + NEEDED, flags: REPLY })
    expect([0, 4, 8, 12].map(at => payload.getUint32(at, true))).toEqual([NEEDED, 0, 2, 3])
    const plain = { type: 0, flags: 0, padding: 0, datamatch: 0n }
    expect(entry(16)).toEqual({ ...plain, offset: 0x10n, size: 4n, fdIndex: 0 })
    expect(entry(56)).toEqual({ ...plain, offset: 0x20n, size: 2n, fdIndex: 1, flags: 1, datamatch: 0x1_0000_0002n })
    expect(entry(96)).toEqual({ ...plain, offset: 0x30n, size: 0n, fdIndex: 0 })
    expect(descriptors).toHaveLength(2)
    signalEventFd(descriptors[1]!, 10)
    expect(readEventFd(server.device.events[1]!)).toBe(10)
    descriptors.forEach(closeDescriptor)
  })

  it('tells the need, without descriptors, where there is no room for the list', async () => {
    const reply = await client.request(DEVICE_GET_REGION_IO_FDS, ask(2, { argsz: NEEDED - 1 }))

    expect(reply).toMatchObject({ size: 32, flags: REPLY, descriptors: [] })
    expect([0, 4, 8, 12].map(at => reply.payload.getUint32(at, true))).toEqual([NEEDED, 0, 2, 0])
  })

  it('of a region without such writes is an empty list', async () => {
    const reply = await client.request(DEVICE_GET_REGION_IO_FDS, ask(1))

    expect(reply).toMatchObject({ size: 32, flags: REPLY, descriptors: [] })
    expect([0, 4, 8, 12].map(at => reply.payload.getUint32(at, true))).toEqual([16, 0, 1, 0])
  })

  it('with more descriptors than the client takes is refused with ENOSPC', async () => {
    client.close()
    client = RawClient.connect(server.path)
    await client.request(VERSION, version())

    const reply = await client.request(DEVICE_GET_REGION_IO_FDS, ask(2))

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: ENOSPC, descriptors: [] })
  })

  it.each([
    ['a short payload', words(512, 0, 2)],
    ['an argsz that is too small', ask(2, { argsz: 15 })],
    ['an argsz larger than a transfer', ask(2, { argsz: (1 << 20) + 1 })],
    ['flags', ask(2, { flags: 1 })],
    ['a count', ask(2, { count: 1 })],
    ['a region that is not there', ask(3)],
    ['a region out of range', ask(512)]
  ])('refuses %s', async (_what, payload) => {
    const reply = await client.request(DEVICE_GET_REGION_IO_FDS, payload)

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL, descriptors: [] })
  })
})
