import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskVerifier } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, serve } from './testbed.js'
import type { Guest, GuestOptions } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function createQueues (guest: Guest, count: number, depth: number, vectors: boolean): Promise<IoQueue[]> {
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(count)
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const queues: IoQueue[] = []
  for (const id of ids) {
    queues.push(await guest.driver.createQueuePair({ id, depth, ...(vectors ? { vector: id } : {}) }))
  }
  return queues
}

function verifier (guest: Guest, seed: number): DiskVerifier {
  const { memory } = guest
  return new DiskVerifier({ memory, nsid: 1, blockBytes: BLOCK_BYTES, blockCount: 4096, transferBlocksMax: 64, seed })
}

describe('reads and writes at random', () => {
  it.each([
    { depth: 1, queues: 1 },
    { depth: 2, queues: 1 },
    { depth: 7, queues: 3 },
    { depth: 32, queues: 2 },
    { depth: 64, queues: 4 }
  ])('end with the right data at queue depth $depth on $queues queues', async ({ depth, queues: count }) => {
    const { path } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queues = await createQueues(guest, count, depth + 1, false)
    const disk = verifier(guest, depth * 1000 + count)
    await disk.run(queues, { depth, commands: 600 })
    await disk.check(queues[0]!)
    expect(guest.driver.anomalies).toEqual([])
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it.each<GuestOptions & { name: string }>([
    { name: 'doorbells that are answered, and polling', doorbells: 'trap' },
    { name: 'doorbells in shared memory, and polling', doorbells: 'mmap' },
    { name: 'posted doorbells and MSI-X', doorbells: 'posted', interrupts: 'msix' },
    { name: 'doorbells in shared memory and MSI-X', doorbells: 'mmap', interrupts: 'msix' },
    { name: 'posted doorbells and MSI', doorbells: 'posted', interrupts: 'msi' },
    { name: 'posted doorbells and INTx', doorbells: 'posted', interrupts: 'intx' }
  ])('end with the right data with $name', async options => {
    const { path } = await serve(cleanup, { doorbells: options.doorbells === 'mmap' ? 'mmap' : 'trap' })
    const guest = await attachGuest(cleanup, path, options)
    const queues = await createQueues(guest, 2, 33, options.interrupts === 'msix')
    const disk = verifier(guest, 42)
    await disk.run(queues, { depth: 16, commands: 400 })
    await disk.check(queues[1]!)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('end with the right data with blocks of 4096 bytes', async () => {
    const { path } = await serve(cleanup, { blockSize: 4096 })
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queues = await createQueues(guest, 2, 64, false)
    const { memory } = guest
    const disk = new DiskVerifier({
      memory,
      nsid: 1,
      blockBytes: 4096,
      blockCount: 1024,
      transferBlocksMax: 32,
      seed: 4096
    })
    await disk.run(queues, { depth: 32, commands: 400 })
    await disk.check(queues[0]!)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('end with the right data in a file, beside another namespace', async () => {
    const file = join(createFolder(cleanup), 'disk.img')
    writeFileSync(file, '')
    truncateSync(file, 4 * 1024 * 1024)
    const { path } = await serve(cleanup, { backends: ['memory:1MiB', `file:${file}`] })
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const queues = await createQueues(guest, 2, 33, false)
    const { memory } = guest
    const shape = { memory, blockBytes: BLOCK_BYTES, blockCount: 2048, transferBlocksMax: 32 }
    const first = new DiskVerifier({ ...shape, nsid: 1, seed: 7 })
    const second = new DiskVerifier({ ...shape, nsid: 2, seed: 8 })
    await Promise.all([
      first.run(queues, { depth: 8, commands: 200 }),
      second.run(queues, { depth: 8, commands: 200 })
    ])
    await first.check(queues[0]!)
    await second.check(queues[1]!)
    expect(await guest.driver.admin.activeNamespaces()).toEqual([1, 2])
    expect(guest.driver.anomalies).toEqual([])
  })
})
