import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskVerifier } from '@pcikit/testkit'
import type { VerifiedQueue, VirtioBlkQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import { attachBlkGuest, serveVirtioBlk } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const MIB = 1024 * 1024

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function start (options: Record<string, unknown>, queues = 2): Promise<BlkGuest> {
  const { path } = await serveVirtioBlk(cleanup, options)
  const doorbells = options['doorbells'] === 'mmap' ? 'mmap' : 'posted'
  const attached = await attachBlkGuest(cleanup, path, { doorbells })
  await attached.blk.start({ queues })
  return attached
}

function createFile (): string {
  const file = join(createFolder(cleanup), 'disk')
  writeFileSync(file, '')
  truncateSync(file, 2 * MIB)
  return file
}

/** Writes and reads at random on all queues, and checks the whole disk. */
async function verify ({ guest, blk }: BlkGuest, blockBytes: number, queues: readonly VerifiedQueue[]): Promise<void> {
  const { memory } = guest
  const blockCount = 2 * MIB / blockBytes
  const disk = new DiskVerifier({ memory, blockBytes, blockCount, transferBlocksMax: 32, seed: 7 })
  await disk.run(queues, { depth: 16, commands: 600 })
  await disk.check(queues[0]!)
  expect(blk.device.anomalies).toEqual([])
  expect(memory.areGuardsIntact).toBe(true)
}

/** Blocks of 4096 bytes: a driver counts in sectors all the same. */
function inBlocks (queue: VirtioBlkQueue): VerifiedQueue {
  return {
    read: transfer => queue.read({ ...transfer, slba: transfer.slba * 8 }),
    write: transfer => queue.write({ ...transfer, slba: transfer.slba * 8 })
  }
}

describe('reads and writes at random', () => {
  it.each([
    { io: 'threads', doorbells: 'trap' },
    { io: 'auto', doorbells: 'trap' },
    { io: 'auto', doorbells: 'mmap' }
  ])('end with the right data in a file, io=$io, doorbells by $doorbells', async ({ io, doorbells }) => {
    const attached = await start({ backend: `file:${createFile()},io=${io}`, doorbells }, 4)
    await verify(attached, BLOCK_BYTES, attached.blk.queues)
  })

  it('end with the right data in a file without a write cache', async () => {
    const attached = await start({ backend: `file:${createFile()}`, writeCache: false })
    expect(await attached.blk.readField('writeback')).toBe(0)
    await verify(attached, BLOCK_BYTES, attached.blk.queues)
  })

  it('end with the right data with blocks of 4096 bytes', async () => {
    const attached = await start({ blockSize: 4096 })
    await verify(attached, 4096, attached.blk.queues.map(inBlocks))
  })

  it('end with the right data under the fault policy drop', async () => {
    const attached = await start({ faultPolicy: 'drop' })
    await verify(attached, BLOCK_BYTES, attached.blk.queues)
  })
})
