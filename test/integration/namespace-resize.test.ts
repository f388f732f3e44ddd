import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { NvmeStatusCode, pattern, statusCode } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const MIB = 1024 * 1024
const CHANGED_NAMESPACES = 0x04
const ASYNC_EVENT_CONFIGURATION = 0x0b
const NAMESPACE_ATTRIBUTE_NOTICES = 1 << 8
/** Notice, Attached Namespace Attribute Changed, and the log page that says which. */
const NAMESPACE_CHANGED = 0x0004_0002

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A controller with a memory namespace and, as number 2, a file that the test may cut and extend. */
async function attach (): Promise<{ file: string, guest: Guest, queue: IoQueue }> {
  const file = join(createFolder(cleanup), 'disk.img')
  writeFileSync(file, '')
  truncateSync(file, MIB)
  const { path } = await serve(cleanup, { backends: ['memory:1MiB', `file:${file}`], resizeCheckMs: 5 })
  const guest = await attachGuest(cleanup, path, { interrupts: 'msix' })
  await guest.driver.enable()
  await guest.driver.admin.setFeature(ASYNC_EVENT_CONFIGURATION, NAMESPACE_ATTRIBUTE_NOTICES)
  const queue = await guest.driver.createQueuePair({ id: 1, depth: 16, vector: 1 })
  return { file, guest, queue }
}

async function changedNamespaces (guest: Guest): Promise<number[]> {
  const page = await guest.driver.admin.getLogPage({ lid: CHANGED_NAMESPACES, byteLength: 4096 })
  return [...new Uint32Array(page.slice(0, 12).buffer)]
}

describe('a file that gets another size while it is served', () => {
  it('is a larger namespace when it grew, of which the host is told', async () => {
    const { file, guest, queue } = await attach()
    const event = guest.driver.admin.asyncEvent()
    truncateSync(file, 3 * MIB)
    expect((await event).dw0).toBe(NAMESPACE_CHANGED)
    expect(await changedNamespaces(guest)).toEqual([2, 0, 0])
    const blocks = 3 * MIB / BLOCK_BYTES
    expect((await guest.driver.admin.identifyNamespace(2)).nsze).toBe(blocks)
    const bytes = pattern(BLOCK_BYTES, 4)
    await queue.writeBytes(2, blocks - 1, BLOCK_BYTES, bytes)
    expect(Buffer.compare(await queue.readBytes(2, blocks - 1, BLOCK_BYTES, BLOCK_BYTES), bytes)).toBe(0)
  })

  it('keeps what is left when it shrank, and ends where it ends', async () => {
    const { file, guest, queue } = await attach()
    const bytes = pattern(BLOCK_BYTES, 5)
    await queue.writeBytes(2, 1023, BLOCK_BYTES, bytes)
    const event = guest.driver.admin.asyncEvent()
    truncateSync(file, MIB / 2)
    await event
    expect(Buffer.compare(await queue.readBytes(2, 1023, BLOCK_BYTES, BLOCK_BYTES), bytes)).toBe(0)
    const past = await queue.submit({ opcode: 2, nsid: 2, cdw10: 1024, prp1: guest.memory.allocate(4096) })
    expect(statusCode(past)).toBe(NvmeStatusCode.LBA_OUT_OF_RANGE)
  })
})
