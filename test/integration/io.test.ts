import { DiskVerifier } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
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

  it('end with the right data through a file', async () => {
    const { path } = await serve(cleanup, { backends: ['null:1MiB', 'memory:4MiB'] })
    const guest = await attachGuest(cleanup, path, { doorbells: 'posted' })
    const [queue] = await createQueues(guest, 1, 32, false)
    const { memory } = guest
    const disk = new DiskVerifier({
      memory,
      nsid: 2,
      blockBytes: BLOCK_BYTES,
      blockCount: 2048,
      transferBlocksMax: 16,
      seed: 7
    })
    await disk.run([queue!], { depth: 16, commands: 200 })
    await disk.check(queue!)
    expect(await guest.driver.admin.activeNamespaces()).toEqual([1, 2])
  })
})
