import { closeDescriptor, createEventFd } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  DEVICE_GET_INFO,
  DEVICE_RESET,
  DMA_READ,
  DMA_WRITE,
  EINVAL,
  ERROR,
  join,
  message,
  NO_REPLY,
  RawClient,
  REPLY,
  words
} from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const INFO = words(16, 0, 0, 0)

describe('the header', () => {
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

  it.each([[0], [1], [0x8000], [0xffff]])('has its id %i echoed', async id => {
    expect(await client.request(DEVICE_GET_INFO, INFO, { id })).toMatchObject({ id, command: DEVICE_GET_INFO })
  })

  it.each([
    ['0', 0],
    ['19, one after the last', 19],
    ['999', 999],
    ['65535', 0xffff],
    ['DMA_READ, which a server sends', DMA_READ],
    ['DMA_WRITE, which a server sends', DMA_WRITE]
  ])('with the command %s is refused', async (_what, command) => {
    const reply = await client.request(command, new Uint8Array(16))

    expect(reply).toMatchObject({ command, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(await client.request(DEVICE_GET_INFO, INFO)).toMatchObject({ flags: REPLY })
  })

  it.each([[2], [0xf]])('with the type %i is refused', async flags => {
    expect(await client.request(DEVICE_GET_INFO, INFO, { flags })).toMatchObject({ errno: EINVAL })
    expect(await client.request(DEVICE_GET_INFO, INFO)).toMatchObject({ flags: REPLY })
  })

  it('of a command with the error flag is refused', async () => {
    expect(await client.request(DEVICE_GET_INFO, INFO, { flags: ERROR })).toMatchObject({ errno: EINVAL })
  })

  it('of a command with an errno, which is reserved, is taken', async () => {
    expect(await client.request(DEVICE_GET_INFO, INFO, { errno: 22 })).toMatchObject({ flags: REPLY, errno: 0 })
  })

  it('of a reply that nobody asked for is ignored', async () => {
    client.send(message(DEVICE_GET_INFO, INFO, { flags: REPLY }))
    client.send(message(DMA_READ, new Uint8Array(64), { flags: REPLY }))
    client.send(message(DMA_WRITE, undefined, { flags: REPLY | ERROR, errno: 5 }))

    expect(await client.request(DEVICE_RESET)).toMatchObject({ command: DEVICE_RESET, flags: REPLY })
    expect(client.unread).toBe(0)
  })

  it('that asks for no reply gets none, not for an error either', async () => {
    client.send(message(999, undefined, { flags: NO_REPLY }))
    client.send(message(DEVICE_GET_INFO, words(0, 0), { flags: NO_REPLY }))

    expect(await client.request(DEVICE_RESET)).toMatchObject({ command: DEVICE_RESET })
    expect(client.unread).toBe(0)
  })

  it.each([[0], [8], [15]])('with a size of %i ends the connection, after an error', async size => {
    const reply = await client.request(DEVICE_GET_INFO, INFO, { id: 5, size })

    expect(reply).toMatchObject({ id: 5, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    await client.ended()
  })

  it.each([[0xffff_ffff], [0x7fff_ffff], [(1 << 20) + (8 << 10) + 1]])('with a size of %i ends it, too', async size => {
    const reply = await client.request(DEVICE_GET_INFO, INFO, { size })

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL })
    await client.ended()
  })

  it('that ends the connection lets the next client in', async () => {
    client.send(message(DEVICE_GET_INFO, INFO, { size: 1 }))
    await client.ended()
    client.close()

    client = await RawClient.open(server.path)

    expect(await client.request(DEVICE_GET_INFO, INFO)).toMatchObject({ flags: REPLY })
  })

  it('may come with those of other messages, or cut anywhere', async () => {
    const bytes = join(...[1, 2, 3].map(id => message(DEVICE_GET_INFO, INFO, { id })))
    for (let cut = 1; cut < bytes.length; cut += 5) {
      client.send(bytes.subarray(0, cut))
      await new Promise(resolve => {
        setImmediate(resolve)
      })
      client.send(bytes.subarray(cut))
      expect([(await client.next()).id, (await client.next()).id, (await client.next()).id]).toEqual([1, 2, 3])
    }
  })

  it('of a message that takes no descriptors may come with some, which are closed', async () => {
    const event = createEventFd()
    const before = descriptorCount()

    const reply = await client.request(DEVICE_GET_INFO, INFO, { descriptors: [event, event] })

    expect(reply).toMatchObject({ flags: REPLY })
    expect(descriptorCount()).toBe(before)
    closeDescriptor(event)
  })

  it('that never gets its rest leaves nothing behind when the client goes', async () => {
    const event = createEventFd()
    client.send(message(DEVICE_GET_INFO, INFO).subarray(0, 3), [event])
    client.close()
    client = await RawClient.open(server.path)
    const before = descriptorCount()

    client.send(message(DEVICE_GET_INFO, INFO).subarray(0, 3), [event])
    client.close()
    client = await RawClient.open(server.path)

    expect(descriptorCount()).toBe(before)
    closeDescriptor(event)
  })

  it('is answered in one piece, also when the answers pile up', async () => {
    const requests = join(...Array.from({ length: 20_000 }, (_, id) => message(DEVICE_GET_INFO, INFO, { id })))
    const sent = client.sendAll(requests)

    const ids = []
    for (let nth = 0; nth < 20_000; nth++) ids.push((await client.next()).id)
    await sent

    expect(ids.every((id, nth) => id === nth)).toBe(true)
  })
})
