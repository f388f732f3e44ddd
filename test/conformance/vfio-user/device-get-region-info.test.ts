import { closeDescriptor } from '@pcikit/native'
import { fstatSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DEVICE_GET_REGION_INFO,
  EINVAL,
  ERROR,
  join,
  RawClient,
  REPLY,
  VERSION,
  version,
  words
} from '../raw-client.js'
import type { Received } from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const READ = 1
const WRITE = 2
const MMAP = 4
const CAPS = 8

/** A DEVICE_GET_REGION_INFO: argsz at 0, flags at 4, index at 8, cap_offset at 12, size at 16, offset at 24. */
function info (index: number, argsz = 32): Uint8Array {
  return words(argsz, 0, index, 0, 0, 0, 0, 0)
}

function fieldsOf ({ payload }: Received) {
  return {
    argsz: payload.getUint32(0, true),
    flags: payload.getUint32(4, true),
    index: payload.getUint32(8, true),
    capOffset: payload.getUint32(12, true),
    size: payload.getBigUint64(16, true),
    offset: payload.getBigUint64(24, true)
  }
}

describe('DEVICE_GET_REGION_INFO', () => {
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

  it('tells of a plain region', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(7))

    expect(reply).toMatchObject({ command: DEVICE_GET_REGION_INFO, size: 48, flags: REPLY, descriptors: [] })
    expect(fieldsOf(reply)).toEqual({
      argsz: 32,
      flags: READ | WRITE,
      index: 7,
      capOffset: 0,
      size: 0x1000n,
      offset: 0n
    })
  })

  it('tells of a read-only region', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(6))

    expect(fieldsOf(reply)).toMatchObject({ flags: READ, index: 6, size: 0x800n })
  })

  it('tells of a region that is not there by a size of 0', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(8))

    expect(reply.flags).toBe(REPLY)
    expect(fieldsOf(reply)).toEqual({ argsz: 32, flags: 0, index: 8, capOffset: 0, size: 0n, offset: 0n })
  })

  it('sends the file of a region that can be mapped as a whole, without a list of areas', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(1, 256))

    expect(fieldsOf(reply)).toEqual({
      argsz: 32,
      flags: READ | WRITE | MMAP,
      index: 1,
      capOffset: 0,
      size: 0x1000n,
      offset: 0n
    })
    expect(reply.descriptors).toHaveLength(1)
    expect(fstatSync(reply.descriptors[0]!).ino).toBe(fstatSync(server.device.regionFile).ino)
    reply.descriptors.forEach(closeDescriptor)
  })

  it('lists the areas that can be mapped, and sends one descriptor for all', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(0, 80))

    expect(reply.size).toBe(16 + 80)
    expect(fieldsOf(reply)).toEqual({
      argsz: 80,
      flags: READ | WRITE | MMAP | CAPS,
      index: 0,
      capOffset: 32,
      size: 0x4000n,
      offset: 0x8000n
    })
    const { payload } = reply
    expect([payload.getUint16(32, true), payload.getUint16(34, true), payload.getUint32(36, true)]).toEqual([1, 1, 0])
    expect([payload.getUint32(40, true), payload.getUint32(44, true)]).toEqual([2, 0])
    expect([payload.getBigUint64(48, true), payload.getBigUint64(56, true)]).toEqual([0x1000n, 0x1000n])
    expect([payload.getBigUint64(64, true), payload.getBigUint64(72, true)]).toEqual([0x3000n, 0x1000n])
    expect(reply.descriptors).toHaveLength(1)
    reply.descriptors.forEach(closeDescriptor)
  })

  it('tells the need, and leaves the list out, where there is no room for it', async () => {
    const reply = await client.request(DEVICE_GET_REGION_INFO, info(0, 79))

    expect(reply.size).toBe(48)
    expect(fieldsOf(reply)).toMatchObject({ argsz: 80, flags: READ | WRITE | MMAP, capOffset: 0, size: 0x4000n })
    reply.descriptors.forEach(closeDescriptor)
  })

  // SPDK's initiator asks in this way for every region.
  it('takes 4080 bytes of which 32 matter', async () => {
    for (const index of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
      const payload = join(info(index, 4080), new Uint8Array(4080 - 32))
      const reply = await client.request(DEVICE_GET_REGION_INFO, payload, { id: 0 })
      expect(reply).toMatchObject({ id: 0, flags: REPLY })
      expect(reply.size).toBeLessThanOrEqual(4096)
      expect(fieldsOf(reply).index).toBe(index)
      reply.descriptors.forEach(closeDescriptor)
    }
  })

  it('says nothing of mapping to a client that takes no descriptors', async () => {
    client.close()
    client = RawClient.connect(server.path)
    await client.request(VERSION, version('{"capabilities":{"max_msg_fds":0}}'))

    const reply = await client.request(DEVICE_GET_REGION_INFO, info(0, 256))

    expect(fieldsOf(reply)).toMatchObject({ argsz: 32, flags: READ | WRITE, size: 0x4000n })
    expect(reply.descriptors).toHaveLength(0)
  })

  it('does not mix up the descriptors of pipelined requests', async () => {
    const requests = [7, 0, 6, 1, 7].map(index => client.request(DEVICE_GET_REGION_INFO, info(index, 80)))

    const replies = await Promise.all(requests)

    expect(replies.map(reply => reply.descriptors.length)).toEqual([0, 1, 0, 1, 0])
    replies.forEach(reply => {
      reply.descriptors.forEach(closeDescriptor)
    })
  })

  it.each([
    ['a short payload', words(0, 0)],
    ['31 bytes', info(0).subarray(0, 31)],
    ['an argsz that is too small', info(0, 8)],
    ['a region out of range', info(9)],
    ['a region far out of range', info(0xffff_ffff)]
  ])('refuses %s, without a descriptor', async (_what, payload) => {
    const before = descriptorCount()

    const reply = await client.request(DEVICE_GET_REGION_INFO, payload)

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL, descriptors: [] })
    expect(descriptorCount()).toBe(before)
  })
})
