import { DataBuffer, DiskVerifier, pattern } from '@pcikit/testkit'
import type { DmaLayout, GuestMemory, IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const MIB = 1024 * 1024
const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Memory of which the client shares no file, as QEMU without `share=on`. */
function unshared (memory: GuestMemory): void {
  memory.add({ iova: MIB, byteLength: 8 * MIB, shared: false })
}

/** Pages of which every second one is shared. */
function mixed (memory: GuestMemory): void {
  for (let page = 0; page < 1024; page++) {
    memory.add({ iova: MIB + page * 4096, byteLength: 4096, shared: page % 2 === 0 })
  }
}

async function createQueue (guest: Guest, depth: number, vector?: number): Promise<IoQueue> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  return guest.driver.createQueuePair({ id: 1, depth, ...(vector === undefined ? {} : { vector }) })
}

function verifier (guest: Guest, seed: number): DiskVerifier {
  const { memory } = guest
  return new DiskVerifier({ memory, nsid: 1, blockBytes: BLOCK_BYTES, blockCount: 1024, transferBlocksMax: 32, seed })
}

interface Shape {
  readonly dmaLayout: DmaLayout
  readonly twinSocket: boolean
}

const shapes: readonly Shape[] = [
  { dmaLayout: 'specification', twinSocket: false },
  { dmaLayout: 'specification', twinSocket: true },
  { dmaLayout: 'qemu', twinSocket: false },
  { dmaLayout: 'qemu', twinSocket: true }
]

describe('memory without a descriptor', () => {
  it.each(shapes)('carries queues and data, layout $dmaLayout, twin socket $twinSocket', async client => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: unshared, client, doorbells: 'posted' })
    const queue = await createQueue(guest, 33)
    const disk = verifier(guest, 11)
    await disk.run([queue], { depth: 16, commands: 200 })
    await disk.check(queue)
    expect(guest.client.hasTwinSocket).toBe(client.twinSocket)
    expect(guest.client.dma.requestCount).toBeGreaterThan(200)
    expect(guest.driver.anomalies).toEqual([])
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it.each(shapes)('mixes with mapped memory, layout $dmaLayout, twin socket $twinSocket', async client => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: mixed, client, doorbells: 'posted' })
    const queue = await createQueue(guest, 256)
    const disk = verifier(guest, 12)
    await disk.run([queue], { depth: 8, commands: 200 })
    await disk.check(queue)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('works with interrupts and doorbells that are answered', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: unshared, interrupts: 'msix' })
    const queue = await createQueue(guest, 16, 1)
    const bytes = pattern(64 * 1024, 13)
    await queue.writeBytes(1, 0, BLOCK_BYTES, bytes)
    const found = await queue.readBytes(1, 0, BLOCK_BYTES, bytes.length)
    expect(Buffer.compare(found, bytes)).toBe(0)
  })

  it('cuts transfers into what the client can take', async () => {
    const { path } = await serve(cleanup)
    const sizes: number[] = []
    const capabilities = { max_msg_fds: 16, max_data_xfer_size: 4096 }
    const guest = await attachGuest(cleanup, path, { layOut: unshared, client: { capabilities } })
    const queue = await createQueue(guest, 16)
    guest.client.dma.behaviour = ({ byteLength }) => {
      sizes.push(byteLength)
      return { kind: 'answer' }
    }
    const bytes = pattern(256 * 1024, 14)
    await queue.writeBytes(1, 0, BLOCK_BYTES, bytes)
    const found = await queue.readBytes(1, 0, BLOCK_BYTES, bytes.length)
    expect(Buffer.compare(found, bytes)).toBe(0)
    expect(Math.max(...sizes)).toBe(4096)
  })

  it('is a Data Transfer Error where the client refuses, and the queue goes on', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: unshared })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.contiguous(guest.memory, 4096)
    guest.client.dma.behaviour = ({ iova }) => iova === buffer.iova ? { kind: 'error', errno: 14 } : { kind: 'answer' }
    const completion = await queue.submitTransfer(2, { nsid: 1, slba: 0, blockCount: 8, buffer })
    expect([completion.status.sct, completion.status.sc]).toEqual([0, 4])
    await queue.flush(1)
  })

  it('is a Data Transfer Error where the client does not answer in time, and the queue goes on', async () => {
    const { path } = await serve(cleanup, {}, { dmaTimeoutMs: 50 })
    const guest = await attachGuest(cleanup, path, { layOut: unshared })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.contiguous(guest.memory, 4096)
    guest.client.dma.behaviour = ({ iova }) => iova === buffer.iova ? { kind: 'ignore' } : { kind: 'answer' }
    const completion = await queue.submitTransfer(2, { nsid: 1, slba: 0, blockCount: 8, buffer })
    expect([completion.status.sct, completion.status.sc]).toEqual([0, 4])
    await queue.flush(1)
  })

  it('answers other requests while the client thinks about its memory', async () => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: unshared })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.contiguous(guest.memory, 4096)
    let release: () => void = () => undefined
    const until = new Promise<void>(resolve => {
      release = resolve
    })
    guest.client.dma.behaviour = ({ iova }) => iova === buffer.iova ? { kind: 'delay', until } : { kind: 'answer' }
    const read = queue.read({ nsid: 1, slba: 0, blockCount: 8, buffer })
    const info = await guest.client.getInfo()
    release()
    await read
    expect(info.regionCount).toBe(9)
  })

  it('can be unmapped while a request for it is on its way', async () => {
    const { path } = await serve(cleanup, {}, { dmaTimeoutMs: 1000 })
    const guest = await attachGuest(cleanup, path, {
      layOut: memory => {
        memory.add({ iova: MIB, byteLength: 4 * MIB })
        memory.add({ iova: 0x4000_0000, byteLength: MIB, shared: false })
      }
    })
    const queue = await createQueue(guest, 16)
    const buffer = DataBuffer.at(guest.memory, 0x4000_0000, 4096)
    guest.client.dma.behaviour = () => ({ kind: 'ignore' })
    const read = queue.submitTransfer(2, { nsid: 1, slba: 0, blockCount: 8, buffer })
    await guest.client.getInfo()
    await guest.client.unmapDma(0x4000_0000, MIB)
    const completion = await read
    expect([completion.status.sct, completion.status.sc]).toEqual([0, 4])
    await queue.flush(1)
  })

  it('is reported once, with what to set in QEMU', async () => {
    const { path, warnings } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: unshared })
    await createQueue(guest, 16)
    expect(warnings.filter(line => line.includes('share=on'))).toHaveLength(1)
  })
})
