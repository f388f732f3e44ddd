import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DataBuffer, DiskVerifier, pattern, VirtioFeature } from '@pcikit/testkit'
import type { BlkFraming, VirtioGuestOptions } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import { attachBlkGuest, serveVirtioBlk } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const MIB = 1024 * 1024

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** What the drivers of the matrix take or leave. */
interface Choice {
  readonly packed: boolean
  readonly indirect: boolean
  readonly eventIndex: boolean
  readonly inOrder: boolean
  readonly queues: number
}

const both = [false, true]
const matrix: readonly Choice[] = both.flatMap(packed =>
  both.flatMap(indirect =>
    both.flatMap(eventIndex =>
      both.flatMap(inOrder => [1, 4].map(queues => ({ packed, indirect, eventIndex, inOrder, queues })))
    )
  )
)

function left ({ packed, indirect, eventIndex, inOrder }: Omit<Choice, 'queues'>): number[] {
  return [
    ...packed ? [] : [VirtioFeature.RING_PACKED],
    ...indirect ? [] : [VirtioFeature.INDIRECT_DESC],
    ...eventIndex ? [] : [VirtioFeature.EVENT_IDX],
    ...inOrder ? [] : [VirtioFeature.IN_ORDER]
  ]
}

function verifier ({ guest }: BlkGuest, seed: number, blockBytes = BLOCK_BYTES): DiskVerifier {
  const blockCount = 2 * MIB / blockBytes
  return new DiskVerifier({ memory: guest.memory, blockBytes, blockCount, transferBlocksMax: 32, seed })
}

describe('reads and writes at random', () => {
  it.each(matrix)(
    'end with the right data: packed $packed, indirect $indirect, event index $eventIndex, in order $inOrder, $queues queues',
    async choice => {
      const { path } = await serveVirtioBlk(cleanup)
      const attached = await attachBlkGuest(cleanup, path, { doorbells: 'posted', interrupts: 'msix' })
      const framing: BlkFraming = choice.indirect ? { indirect: true } : {}
      const queues = await attached.blk.start({ features: { without: left(choice) }, queues: choice.queues, framing })
      const disk = verifier(attached, 7)
      await disk.run(queues, { depth: 16, commands: 400 })
      await disk.check(queues[0]!)
      expect(attached.blk.device.anomalies).toEqual([])
      expect(attached.guest.memory.areGuardsIntact).toBe(true)
    }
  )

  it.each<VirtioGuestOptions & { readonly name: string }>([
    { name: 'notifications that are answered, and polling', doorbells: 'trap' },
    { name: 'notifications in shared memory, and polling', doorbells: 'mmap' },
    { name: 'notifications in shared memory and MSI-X', doorbells: 'mmap', interrupts: 'msix' },
    { name: 'posted notifications and INTx', doorbells: 'posted', interrupts: 'intx' },
    { name: 'one vector for all', doorbells: 'posted', interrupts: 'msix', vectors: 1 }
  ])('end with the right data with $name', async options => {
    const { path } = await serveVirtioBlk(cleanup, { doorbells: options.doorbells === 'mmap' ? 'mmap' : 'trap' })
    const attached = await attachBlkGuest(cleanup, path, options)
    const queues = await attached.blk.start({ queues: 2 })
    const disk = verifier(attached, 42)
    await disk.run(queues, { depth: 16, commands: 400 })
    await disk.check(queues[1]!)
    expect(attached.blk.device.anomalies).toEqual([])
  })

  it.each(['threads', 'auto'])('end with the right data in a file, io=%s', async io => {
    const file = join(createFolder(cleanup), 'disk')
    writeFileSync(file, '')
    truncateSync(file, 2 * MIB)
    const { path } = await serveVirtioBlk(cleanup, { backend: `file:${file},io=${io}` })
    const attached = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
    const queues = await attached.blk.start({ queues: 4 })
    const disk = verifier(attached, 3)
    await disk.run(queues, { depth: 32, commands: 800 })
    await disk.check(queues[0]!)
    expect(attached.blk.device.anomalies).toEqual([])
  })

  it('end with the right data with blocks of 4096 bytes', async () => {
    const { path } = await serveVirtioBlk(cleanup, { blockSize: 4096 })
    const attached = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
    const [queue] = await attached.blk.start()
    // The driver counts in sectors all the same.
    const scaled = {
      read: (transfer: { slba: number, buffer: DataBuffer }) => queue!.read({ ...transfer, slba: transfer.slba * 8 }),
      write: (transfer: { slba: number, buffer: DataBuffer }) => queue!.write({ ...transfer, slba: transfer.slba * 8 })
    }
    const disk = verifier(attached, 4096, 4096)
    await disk.run([scaled], { depth: 16, commands: 300 })
    await disk.check(scaled)
  })

  it.each<BlkFraming>([
    { joinHeader: true, joinStatus: true },
    { cut: [1, 600, 3] },
    { joinHeader: true, cut: [17] },
    { joinStatus: true, indirect: 3 }
  ])('end with the right data however requests are framed: %j', async framing => {
    const { path } = await serveVirtioBlk(cleanup)
    const attached = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
    const without = 'indirect' in framing ? [VirtioFeature.RING_PACKED] : []
    const [queue] = await attached.blk.start({ framing, features: { without } })
    const data = pattern(4 * BLOCK_BYTES, 1)
    const { memory } = attached.guest
    const source = DataBuffer.contiguous(memory, data.length, 5)
    source.write(data)
    await queue!.write({ slba: 100, buffer: source })
    const target = DataBuffer.scattered(memory, data.length, 9)
    await queue!.read({ slba: 100, buffer: target })
    expect(target.read()).toEqual(data)
  })

  it('end with the right data under the fault policy drop', async () => {
    const { path } = await serveVirtioBlk(cleanup, { faultPolicy: 'drop' })
    const attached = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
    const queues = await attached.blk.start({ queues: 2 })
    const disk = verifier(attached, 5)
    await disk.run(queues, { depth: 8, commands: 200 })
    await disk.check(queues[0]!)
  })
})
