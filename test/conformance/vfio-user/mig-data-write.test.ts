import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEVICE_GET_INFO, MIG_DATA_WRITE, EOPNOTSUPP, ERROR, RawClient, REPLY, words } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

// Migration is not offered: DEVICE_FEATURE says so.
describe('MIG_DATA_WRITE', () => {
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
    ['a request', words(16, 8, 0, 0)],
    ['a request without a payload', words()]
  ])('is not supported: %s', async (_what, payload) => {
    const reply = await client.request(MIG_DATA_WRITE, payload)

    expect(reply).toMatchObject({ command: MIG_DATA_WRITE, size: 16, flags: REPLY | ERROR, errno: EOPNOTSUPP })
    expect(await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))).toMatchObject({ flags: REPLY })
  })
})
