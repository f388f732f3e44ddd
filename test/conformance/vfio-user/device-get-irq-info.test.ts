import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEVICE_GET_IRQ_INFO, EINVAL, ERROR, RawClient, REPLY, words } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const EVENTFD = 1
const MASKABLE = 2
const AUTOMASKED = 4
const NORESIZE = 8

describe('DEVICE_GET_IRQ_INFO', () => {
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

  it.each([
    ['INTx', 0, EVENTFD | MASKABLE | AUTOMASKED, 1],
    ['MSI, which this device does not have', 1, EVENTFD, 0],
    ['MSI-X', 2, EVENTFD | NORESIZE, 16],
    ['errors', 3, EVENTFD, 1],
    ['requests', 4, EVENTFD, 1]
  ])('tells of %s', async (_what, index, flags, count) => {
    const reply = await client.request(DEVICE_GET_IRQ_INFO, words(16, 0, index, 0))

    expect(reply).toMatchObject({ command: DEVICE_GET_IRQ_INFO, size: 32, flags: REPLY, errno: 0 })
    expect([0, 4, 8, 12].map(at => reply.payload.getUint32(at, true))).toEqual([16, flags, index, count])
  })

  it('has a reply no longer than its structure where the client has more room', async () => {
    const reply = await client.request(DEVICE_GET_IRQ_INFO, words(32, 0, 4, 0))

    expect(reply.size).toBe(32)
    expect(reply.payload.getUint32(0, true)).toBe(16)
  })

  it.each([
    ['a short payload', words(0, 0)],
    ['no payload', words()],
    ['an argsz that is too small', words(8, 0, 4, 0)],
    ['a kind out of range', words(16, 0, 5, 0)]
  ])('refuses %s', async (_what, payload) => {
    const reply = await client.request(DEVICE_GET_IRQ_INFO, payload)

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL })
  })
})
