import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { SlowClient } from '../../testkit/src/compliance/dma-manager/slow-client.js'
import { PAGE } from './memory-file.js'
import { makeManager } from './test-manager.js'
import type { TestManager } from './test-manager.js'

const EXPLANATION = /^The client does not share this memory.*share=on/

/** A manager that reaches 64 pages through a client. */
function makeUnshared (client: SlowClient, bounceBytesMax = 2 ** 28): TestManager {
  const manager = makeManager({ bounceBytesMax })
  manager.dma.setPort(client)
  manager.dma.map({ iova: 0, byteLength: 64 * PAGE, access: DmaAccess.READ_WRITE, fileOffset: 0 })
  return manager
}

describe('ClientMessages', () => {
  it('says once for each client what makes it fast', async () => {
    const client = new SlowClient()
    const { dma, logger } = makeUnshared(client)
    await dma.read(0, new Uint8Array(4))
    await dma.write(0, new Uint8Array(4))
    expect(logger.sentences.filter(sentence => EXPLANATION.test(sentence))).toHaveLength(1)
    dma.setPort(undefined)
    dma.setPort(client)
    await dma.read(0, new Uint8Array(4))
    expect(logger.sentences.filter(sentence => EXPLANATION.test(sentence))).toHaveLength(2)
  })

  it('asks for a few pieces at a time', async () => {
    const client = new SlowClient()
    const { dma } = makeUnshared(client)
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    for (let page = 0; page < 32; page += 1) lease.append(page * 2 * PAGE, 16)
    client.hold()
    const fetched = lease.fetch()
    expect(client.requests).toHaveLength(8)
    client.answer()
    expect(await fetched).toBe(DmaFault.NONE)
    expect(client.requests).toHaveLength(32)
    lease.close()
  })

  it('asks for no more once a piece failed', async () => {
    const client = new SlowClient()
    const { dma } = makeUnshared(client)
    client.refuses = true
    const lease = dma.createLease()
    lease.open(DmaAccess.READ)
    for (let page = 0; page < 32; page += 1) lease.append(page * 2 * PAGE, 16)
    expect(await lease.fetch()).toBe(DmaFault.PEER_FAILED)
    expect(client.requests.length).toBeLessThan(17)
    lease.close()
  })

  it('faults when too much is in flight, and works on when that is over', () => {
    const { dma } = makeUnshared(new SlowClient(), 2 ** 20)
    const [first, second] = [dma.createLease(), dma.createLease()]
    first.open(DmaAccess.READ)
    second.open(DmaAccess.READ)
    expect(first.append(0, 64 * PAGE)).toBe(DmaFault.NONE)
    for (let index = 0; index < 3; index += 1) first.append(0, 64 * PAGE)
    expect(second.append(0, PAGE)).toBe(DmaFault.PEER_FAILED)
    first.close()
    expect(second.append(0, PAGE)).toBe(DmaFault.NONE)
    second.close()
  })

  it('asks for no more once a drain gave up waiting, or a lease was closed', async () => {
    const client = new SlowClient(PAGE)
    const { dma } = makeUnshared(client)
    const lease = dma.createLease()
    client.hold()
    lease.open(DmaAccess.WRITE)
    lease.append(0, 4 * PAGE)
    const committed = lease.commit()
    const read = dma.read(0, new Uint8Array(4 * PAGE))
    await dma.drain()
    client.answer()
    expect([await committed, await read, lease.fault]).toEqual([DmaFault.REVOKED, DmaFault.REVOKED, DmaFault.REVOKED])
    lease.close()
    client.hold()
    lease.open(DmaAccess.WRITE)
    lease.append(0, 4 * PAGE)
    const abandoned = lease.commit()
    lease.close()
    client.answer()
    expect(await abandoned).toBe(DmaFault.REVOKED)
    expect(client.requests.map(([direction, iova]) => [direction, iova])).toEqual([['write', 0], ['read', 0], [
      'write',
      0
    ]])
  })

  it('does not let a late answer into the next command of a lease', async () => {
    const client = new SlowClient()
    client.memory.fill(0xee, 0, PAGE)
    const { dma } = makeUnshared(client)
    const lease = dma.createLease()
    client.hold()
    lease.open(DmaAccess.READ)
    lease.append(0, 16)
    const late = lease.fetch()
    lease.close()
    lease.open(DmaAccess.READ)
    lease.append(PAGE, 16)
    client.answer()
    expect(await late).toBe(DmaFault.REVOKED)
    expect([lease.fault, lease.bytesAt(0)[0]]).toEqual([DmaFault.NONE, 0])
    lease.close()
  })
})
