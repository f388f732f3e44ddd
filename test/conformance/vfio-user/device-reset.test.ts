import { DmaFault } from '@pcikit/core'
import { closeDescriptor, createMemoryFile } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  DEVICE_RESET,
  DMA_MAP,
  join,
  message,
  NO_REPLY,
  quads,
  RawClient,
  REGION_READ,
  REPLY,
  words
} from '../raw-client.js'
import { startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

describe('DEVICE_RESET', () => {
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

  it('resets the device', async () => {
    const reply = await client.request(DEVICE_RESET)

    expect(reply).toMatchObject({ command: DEVICE_RESET, size: 16, flags: REPLY, errno: 0 })
    expect(server.device.resetCount).toBe(1)
  })

  it('is answered when the device is done, and holds what comes after it', async () => {
    let open = (): void => undefined
    server.device.gate = new Promise(resolve => {
      open = resolve
    })
    const reset = vi.spyOn(server.device, 'reset')
    client.send(message(DEVICE_RESET, undefined, { id: 1 }))
    client.send(message(REGION_READ, join(quads(0), words(7, 1)), { id: 2 }))
    await vi.waitFor(() => {
      expect(reset).toHaveBeenCalledOnce()
    })
    await new Promise(resolve => {
      setImmediate(resolve)
    })
    expect([client.unread, server.device.accesses]).toEqual([0, []])

    open()

    expect([(await client.next()).id, (await client.next()).id]).toEqual([1, 2])
  })

  it('without a reply is done before the next reply', async () => {
    client.send(message(DEVICE_RESET, undefined, { flags: NO_REPLY }))

    await client.request(REGION_READ, join(quads(0), words(7, 1)))

    expect(server.device.resetCount).toBe(1)
    expect(client.unread).toBe(0)
  })

  it('keeps the memory of the client', async () => {
    const file = createMemoryFile('guest', 0x1000)
    await client.request(DMA_MAP, join(words(32, 3), quads(0, 0, 0x1000)), { descriptors: [file] })

    await client.request(DEVICE_RESET)

    expect(await server.device.dma.read(0, new Uint8Array(8))).toBe(DmaFault.NONE)
    closeDescriptor(file)
  })

  it('that fails leaves the device off its bus, until one succeeds', async () => {
    const read = join(quads(0), words(5, 4))
    const before = await client.request(REGION_READ, read)
    vi.spyOn(server.device, 'reset').mockRejectedValueOnce(new Error('a mistake of the device'))

    expect(await client.request(DEVICE_RESET)).toMatchObject({ flags: REPLY })
    const broken = await client.request(REGION_READ, read)
    expect(broken.payload.getUint32(16, true)).toBe(0xffff_ffff)
    expect(await client.request(DEVICE_RESET)).toMatchObject({ flags: REPLY })
    const after = await client.request(REGION_READ, read)
    expect(after.payload.getUint32(16, true)).toBe(before.payload.getUint32(16, true))
  })
})
