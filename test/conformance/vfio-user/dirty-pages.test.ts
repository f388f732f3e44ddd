import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEVICE_GET_INFO, DIRTY_PAGES, EOPNOTSUPP, ERROR, RawClient, REPLY, words } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

// Earlier revisions of the protocol had this command. Dirty tracking is not offered.
describe('DIRTY_PAGES', () => {
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
    ['a request', words(8, 1)],
    ['a request without a payload', words()]
  ])('is not supported: %s', async (_what, payload) => {
    const reply = await client.request(DIRTY_PAGES, payload)

    expect(reply).toMatchObject({ command: DIRTY_PAGES, size: 16, flags: REPLY | ERROR, errno: EOPNOTSUPP })
    expect(await client.request(DEVICE_GET_INFO, words(16, 0, 0, 0))).toMatchObject({ flags: REPLY })
  })
})
