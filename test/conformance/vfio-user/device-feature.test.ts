import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEVICE_FEATURE, EINVAL, ENOTTY, ERROR, join, quads, RawClient, REPLY, words } from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const GET = 1 << 16
const SET = 1 << 17
const PROBE = 1 << 18

const MIGRATION = 1
const MIG_DEVICE_STATE = 2
const DMA_LOGGING_START = 6
const DMA_LOGGING_REPORT = 8

describe('DEVICE_FEATURE', () => {
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

  // Neither migration nor dirty tracking is offered, and the specification has no other features.
  it.each([
    ['a probe of migration', words(8, MIGRATION | PROBE)],
    ['a probe of getting migration', words(8, MIGRATION | PROBE | GET)],
    ['a probe of getting and setting the state', words(8, MIG_DEVICE_STATE | PROBE | GET | SET)],
    ['getting migration', words(16, MIGRATION | GET)],
    ['setting the state', words(16, MIG_DEVICE_STATE | SET, 2, 0)],
    ['starting to log', join(words(24, DMA_LOGGING_START | SET), quads(4096, 0))],
    ['a report of the log', join(words(40, DMA_LOGGING_REPORT | GET), quads(0, 4096, 4096))],
    ['a feature that nobody knows', words(8, 0xffff | PROBE)]
  ])('answers %s with ENOTTY', async (_what, payload) => {
    const reply = await client.request(DEVICE_FEATURE, payload)

    expect(reply).toMatchObject({ command: DEVICE_FEATURE, size: 16, flags: REPLY | ERROR, errno: ENOTTY })
  })

  it.each([
    ['a short payload', words(8)],
    ['no payload', words()],
    ['an argsz that is too small', words(7, MIGRATION | PROBE)],
    ['get and set together', words(16, MIGRATION | GET | SET)],
    ['neither get nor set nor probe', words(16, MIGRATION)],
    ['flags that nobody knows', words(16, MIGRATION | PROBE | (1 << 19))]
  ])('refuses %s', async (_what, payload) => {
    const reply = await client.request(DEVICE_FEATURE, payload)

    expect(reply).toMatchObject({ command: DEVICE_FEATURE, size: 16, flags: REPLY | ERROR, errno: EINVAL })
  })
})
