import { DmaFault } from '@pcikit/core'
import { closeDescriptor, createMemoryFile } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  bytesOf,
  DMA_MAP,
  DMA_UNMAP,
  EINVAL,
  EOPNOTSUPP,
  ERROR,
  join,
  message,
  NO_REPLY,
  quads,
  RawClient,
  REGION_READ,
  REPLY,
  words
} from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

/** A DMA_UNMAP: argsz at 0, flags at 4, address at 8, size at 16. */
function unmap (
  { argsz = 24, flags = 0, address = 0 as number | bigint, size = 0x1000 as number | bigint }
): Uint8Array {
  return join(words(argsz, flags), quads(address, size))
}

const ALL = 2
const GET_DIRTY_BITMAP = 1

describe('DMA_UNMAP', () => {
  let server: TestServer
  let client: RawClient
  let file: number

  beforeEach(async () => {
    server = await startServer()
    client = await RawClient.open(server.path)
    file = createMemoryFile('guest', 0x10_0000)
    for (const address of [0x1_0000, 0x1_1000, 0x1_4000]) {
      const region = join(words(32, 3), quads(address, address, 0x1000))
      await client.request(DMA_MAP, region, { descriptors: [file] })
    }
  })

  afterEach(async () => {
    client.close()
    closeDescriptor(file)
    await server.close()
  })

  const faultAt = async (iova: number): Promise<number> => await server.device.dma.read(iova, new Uint8Array(8))

  it('takes one region away and repeats the request', async () => {
    const request = unmap({ address: 0x1_0000 })
    expect(await faultAt(0x1_0000)).toBe(DmaFault.NONE)

    const reply = await client.request(DMA_UNMAP, request)

    expect(reply).toMatchObject({ command: DMA_UNMAP, size: 40, flags: REPLY, errno: 0 })
    expect(bytesOf(reply)).toEqual([...request])
    expect(await faultAt(0x1_0000)).toBe(DmaFault.UNMAPPED)
    expect(await faultAt(0x1_1000)).toBe(DmaFault.NONE)
  })

  it('lets go of the descriptor before it replies', async () => {
    const before = descriptorCount()
    await client.request(DMA_MAP, join(words(32, 3), quads(0, 0, 0x1000)), { descriptors: [file] })

    await client.request(DMA_UNMAP, unmap({}))

    expect(descriptorCount()).toBe(before)
  })

  // Deviation: the specification wants an exact match. QEMU unmaps ranges that cover many regions under a vIOMMU.
  it('takes every region inside its range away', async () => {
    const reply = await client.request(DMA_UNMAP, unmap({ address: 0x1_0000, size: 0x1_0000 }))

    expect(reply.flags).toBe(REPLY)
    expect([await faultAt(0x1_0000), await faultAt(0x1_1000), await faultAt(0x1_4000)])
      .toEqual([DmaFault.UNMAPPED, DmaFault.UNMAPPED, DmaFault.UNMAPPED])
  })

  it('of a range with nothing in it succeeds and changes nothing', async () => {
    const reply = await client.request(DMA_UNMAP, unmap({ address: 0x10_0000 }))

    expect(reply).toMatchObject({ size: 40, flags: REPLY })
    expect(await faultAt(0x1_0000)).toBe(DmaFault.NONE)
  })

  it('that would cut a region in two is refused and changes nothing', async () => {
    const reply = await client.request(DMA_UNMAP, unmap({ address: 0x1_0000, size: 0x1800 }))

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(await faultAt(0x1_0000)).toBe(DmaFault.NONE)
    expect(await faultAt(0x1_1000)).toBe(DmaFault.NONE)
  })

  it('of everything takes everything', async () => {
    const reply = await client.request(DMA_UNMAP, unmap({ flags: ALL, size: 0 }))

    expect(reply).toMatchObject({ size: 40, flags: REPLY })
    expect([await faultAt(0x1_0000), await faultAt(0x1_4000)]).toEqual([DmaFault.UNMAPPED, DmaFault.UNMAPPED])
  })

  it('covers the last bytes of the address space', async () => {
    const reply = await client.request(DMA_UNMAP, unmap({ address: 0, size: 2n ** 63n }))

    expect(reply.flags).toBe(REPLY)
    expect(await faultAt(0x1_0000)).toBe(DmaFault.UNMAPPED)
  })

  // SPDK's initiator sends one.
  it('takes a descriptor, and closes it', async () => {
    const request = unmap({ address: 0x1_0000 })
    const before = descriptorCount()

    const reply = await client.request(DMA_UNMAP, request, { descriptors: [file] })

    expect(reply.flags).toBe(REPLY)
    expect(descriptorCount()).toBeLessThanOrEqual(before)
    expect(await client.request(DMA_UNMAP, request, { descriptors: [file] })).toMatchObject({ flags: REPLY })
  })

  it('without a reply is done before the next reply', async () => {
    client.send(message(DMA_UNMAP, unmap({ address: 0x1_0000 }), { flags: NO_REPLY }))

    const next = await client.request(REGION_READ, join(quads(0), words(7, 4)))

    expect(next.command).toBe(REGION_READ)
    expect(await faultAt(0x1_0000)).toBe(DmaFault.UNMAPPED)
  })

  it.each([
    ['a short payload', EINVAL, words(0, 0)],
    ['no payload', EINVAL, new Uint8Array(0)],
    ['an argsz that is too small', EINVAL, unmap({ argsz: 8, address: 0x1_0000 })],
    ['a size of 0', EINVAL, unmap({ address: 0x1_0000, size: 0 })],
    ['a range that wraps around', EINVAL, unmap({ address: 2n ** 64n - 1n, size: 2n })],
    ['all regions with an address', EINVAL, unmap({ flags: ALL, address: 0x1_0000, size: 0 })],
    ['all regions with a size', EINVAL, unmap({ flags: ALL, address: 0, size: 0x1000 })],
    ['all regions and a dirty bitmap', EINVAL, unmap({ flags: ALL | GET_DIRTY_BITMAP, size: 0 })],
    ['a dirty bitmap', EOPNOTSUPP, unmap({ flags: GET_DIRTY_BITMAP, address: 0x1_0000 })],
    ['flags that nobody knows', EOPNOTSUPP, unmap({ flags: 4, address: 0x1_0000 })]
  ])('refuses %s and changes nothing', async (_what, errno, payload) => {
    const reply = await client.request(DMA_UNMAP, payload)

    expect(reply).toMatchObject({ command: DMA_UNMAP, size: 16, flags: REPLY | ERROR, errno })
    expect(await faultAt(0x1_0000)).toBe(DmaFault.NONE)
  })
})
