import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEVICE_GET_INFO, EINVAL, ERROR, RawClient, REPLY, words } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

describe('DEVICE_GET_INFO', () => {
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

  it('tells of a PCI device that can be reset, with 9 regions and 5 kinds of interrupt', async () => {
    const reply = await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))

    expect(reply).toMatchObject({ command: DEVICE_GET_INFO, size: 32, flags: REPLY, errno: 0 })
    expect(reply.payload.getUint32(0, true)).toBe(16)
    expect(reply.payload.getUint32(4, true)).toBe(3)
    expect(reply.payload.getUint32(8, true)).toBe(9)
    expect(reply.payload.getUint32(12, true)).toBe(5)
  })

  it('has a reply no longer than its structure where the client has more room', async () => {
    const reply = await client.request(DEVICE_GET_INFO, words(32, 0, 0, 0))

    expect(reply.size).toBe(32)
    expect(reply.payload.getUint32(0, true)).toBe(16)
  })

  it('takes a longer payload', async () => {
    expect(await client.request(DEVICE_GET_INFO, words(24, 0, 0, 0, 0, 0))).toMatchObject({ flags: REPLY, size: 32 })
  })

  it.each([
    ['a short payload', words(0, 0)],
    ['no payload', words()],
    ['an argsz that is too small', words(8, 0, 0, 0)]
  ])('refuses %s', async (_what, payload) => {
    const reply = await client.request(DEVICE_GET_INFO, payload)

    expect(reply).toMatchObject({ command: DEVICE_GET_INFO, size: 16, flags: REPLY | ERROR, errno: EINVAL })
  })
})
