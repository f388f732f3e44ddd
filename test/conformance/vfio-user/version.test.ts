import { closeDescriptor } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOf,
  COMMAND,
  DEVICE_GET_INFO,
  EBUSY,
  EINVAL,
  ERROR,
  join,
  message,
  quads,
  RawClient,
  REPLY,
  version,
  VERSION,
  words
} from '../raw-client.js'
import type { Received } from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** What QEMU 11.1 sends, in its own spelling. */
const QEMU = '{"capabilities": {"max_msg_fds": 16, "max_data_xfer_size": 1048576, "pgsizes": 4096, ' +
  '"max_dma_maps": 65535, "write_multiple": true, "migration": {"pgsize": 4096, "max_bitmap_size": 268435456}}}'

function jsonOf (reply: Received): unknown {
  const bytes = new Uint8Array(reply.payload.buffer)
  expect(bytes.at(-1)).toBe(0)
  return JSON.parse(new TextDecoder().decode(bytes.subarray(4, -1)))
}

describe('VERSION', () => {
  let server: TestServer
  let client: RawClient

  beforeEach(async () => {
    server = await startServer()
    client = RawClient.connect(server.path)
  })

  afterEach(async () => {
    client.close()
    await server.close()
  })

  it('answers what QEMU proposes, no longer than QEMU wrote it', async () => {
    const request = version(QEMU)

    const reply = await client.request(VERSION, request, { id: 7 })

    expect(reply).toMatchObject({ id: 7, command: VERSION, flags: REPLY, errno: 0 })
    expect(reply.size).toBeLessThanOrEqual(16 + request.length)
    expect(reply.payload.getUint16(0, true)).toBe(0)
    expect(reply.payload.getUint16(2, true)).toBe(0)
    expect(jsonOf(reply)).toEqual({
      capabilities: {
        max_msg_fds: 16,
        max_data_xfer_size: 1048576,
        write_multiple: true,
        max_dma_maps: 65535,
        pgsizes: 4096
      }
    })
  })

  it('answers four bytes, as SPDK sends them, with four bytes', async () => {
    const reply = await client.request(VERSION, version())

    expect(reply).toMatchObject({ flags: REPLY, size: 20 })
    expect(bytesOf(reply)).toEqual([0, 0, 0, 0])
  })

  it('answers an empty object with an empty object', async () => {
    const reply = await client.request(VERSION, version('{}'))

    expect(jsonOf(reply)).toEqual({})
  })

  it('names only capabilities that were proposed', async () => {
    const reply = await client.request(VERSION, version('{"capabilities":{"max_msg_fds":8,"unheard_of":[1,2,3]}}'))

    expect(jsonOf(reply)).toEqual({ capabilities: { max_msg_fds: 16 } })
  })

  it('leaves capabilities out where the answer would be longer than the request', async () => {
    const reply = await client.request(VERSION, version('{"capabilities":{"max_msg_fds":8}}'))

    expect(reply.size).toBeLessThanOrEqual(20 + '{"capabilities":{"max_msg_fds":8}}'.length + 1)
    expect(jsonOf(reply)).toEqual({})
  })

  it('takes the smaller transfer size of both', async () => {
    const reply = await client.request(VERSION, version('{"capabilities":{"max_data_xfer_size":65536}}'))

    expect(jsonOf(reply)).toEqual({ capabilities: { max_data_xfer_size: 65536 } })
  })

  it('speaks 0.1 to a client of 0.1', async () => {
    const reply = await client.request(VERSION, version(undefined, { minor: 1 }))

    expect(reply.payload.getUint16(2, true)).toBe(1)
  })

  it('speaks 0.1 to a client of a later minor version', async () => {
    const reply = await client.request(VERSION, version(undefined, { minor: 9 }))

    expect(reply.payload.getUint16(2, true)).toBe(1)
  })

  it('hands a twin socket to a client that proposes one', async () => {
    const reply = await client.request(VERSION, version('{"capabilities":{"twin_socket":{"supported":true}}}'))

    expect(jsonOf(reply)).toEqual({ capabilities: { twin_socket: { supported: true, fd_index: 0 } } })
    expect(reply.descriptors).toHaveLength(1)
  })

  it('hands none to a client that only mentions it', async () => {
    const reply = await client.request(VERSION, version('{"capabilities":{"twin_socket":{"supported":false}}}'))

    expect(jsonOf(reply)).toEqual({ capabilities: { twin_socket: { supported: false } } })
    expect(reply.descriptors).toHaveLength(0)
  })

  it.each([
    ['a short payload', new Uint8Array(3)],
    ['no payload', new Uint8Array(0)],
    ['another major version', version(undefined, { major: 1 })],
    ['JSON without its NUL', join(version(), new TextEncoder().encode('{}'))],
    ['JSON that does not end', version('{')],
    ['JSON that is not an object', version('"capabilities"')],
    ['JSON that is an array', version('[]')],
    ['JSON that is null', version('null')],
    ['an empty text', version('')],
    ['capabilities that are not an object', version('{"capabilities":"23"}')],
    ['max_msg_fds that is not a number', version('{"capabilities":{"max_msg_fds":"foo"}}')],
    ['negative max_msg_fds', version('{"capabilities":{"max_msg_fds":-1}}')],
    ['absurd max_msg_fds', version('{"capabilities":{"max_msg_fds":1025}}')],
    ['max_msg_fds that is not whole', version('{"capabilities":{"max_msg_fds":1.5}}')],
    ['max_data_xfer_size that is not a number', version('{"capabilities":{"max_data_xfer_size":true}}')],
    ['max_data_xfer_size of nothing', version('{"capabilities":{"max_data_xfer_size":0}}')],
    ['max_dma_maps that is not a number', version('{"capabilities":{"max_dma_maps":{}}}')],
    ['pgsizes without a whole page', version('{"capabilities":{"pgsizes":512}}')],
    ['write_multiple that is not a boolean', version('{"capabilities":{"write_multiple":1}}')],
    ['twin_socket that is not an object', version('{"capabilities":{"twin_socket":true}}')],
    ['twin_socket.supported that is not a boolean', version('{"capabilities":{"twin_socket":{"supported":"yes"}}}')],
    ['migration that is not an object', version('{"capabilities":{"migration":"23"}}')],
    ['migration.pgsize that is not a number', version('{"capabilities":{"migration":{"pgsize":"foo"}}}')],
    ['JSON of more than 16 KiB', version(`{"x":"${'x'.repeat(16 << 10)}"}`)]
  ])('refuses %s and closes the connection', async (_what, payload) => {
    const reply = await client.request(VERSION, payload, { id: 3 })

    expect(reply).toMatchObject({ id: 3, command: VERSION, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    await client.ended()
  })

  it('must come first', async () => {
    const reply = await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))

    expect(reply).toMatchObject({ command: DEVICE_GET_INFO, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    await client.ended()
  })

  it('must come once', async () => {
    await client.request(VERSION, version())

    const again = await client.request(VERSION, version())
    const later = await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))

    expect(again).toMatchObject({ flags: REPLY | ERROR, errno: EINVAL })
    expect(later).toMatchObject({ flags: REPLY })
  })

  it('of a second client is answered with EBUSY, which does not disturb the first', async () => {
    await client.request(VERSION, version())
    const second = RawClient.connect(server.path)

    const reply = await second.request(VERSION, version(), { id: 9 })

    expect(reply).toMatchObject({ id: 9, size: 16, flags: REPLY | ERROR, errno: EBUSY })
    await second.ended()
    second.close()
    expect(await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))).toMatchObject({ flags: REPLY })
  })

  it('of a client that comes while its predecessor goes is answered', async () => {
    await client.request(VERSION, version())
    const second = RawClient.connect(server.path)
    second.send(message(VERSION, version()))

    client.close()

    expect(await second.next()).toMatchObject({ command: VERSION, flags: REPLY })
    second.close()
  })

  it('of a client is answered although another one holds the line and says nothing', async () => {
    const second = RawClient.connect(server.path)

    const reply = await second.request(VERSION, version())

    expect(reply).toMatchObject({ flags: REPLY })
    await client.ended()
    second.close()
  })

  it('works again and again, and leaves no descriptor behind', async () => {
    await client.request(VERSION, version())
    const before = descriptorCount()
    for (let nth = 0; nth < 20; nth++) {
      const other = RawClient.connect(server.path)
      client.close()
      client = other
      const reply = await client.request(VERSION, version('{"capabilities":{"twin_socket":{"supported":true}}}'))
      expect(reply.flags).toBe(REPLY)
      client.socket.close()
      reply.descriptors.forEach(closeDescriptor)
      client = RawClient.connect(server.path)
      await client.request(VERSION, version())
    }

    expect(descriptorCount()).toBe(before)
  })

  it('may arrive byte by byte', async () => {
    const bytes = message(VERSION, version(QEMU), { flags: COMMAND })
    for (const byte of bytes) {
      client.send(new Uint8Array([byte]))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
    }

    expect(await client.next()).toMatchObject({ command: VERSION, flags: REPLY })
  })

  it.each([[0], [15], [0xffff_ffff], [(1 << 20) + (64 << 10)]])('with a size of %i ends the connection', async size => {
    const reply = await client.request(VERSION, quads(0), { size })

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL })
    await client.ended()
  })
})
