import { DiskVerifier, VirtioBlkFeature, VirtioFeature } from '@pcikit/testkit'
import type { BlkFraming, StartBlkOptions, VirtioGuestOptions } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup } from './testbed.js'
import { attachBlkGuest, serveVirtioBlk } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const { EVENT_IDX, IN_ORDER, INDIRECT_DESC, NOTIFICATION_DATA, RING_PACKED } = VirtioFeature
const BLOCK_COUNT = 2048

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** What is negotiated and how many queues there are. */
interface Cell {
  readonly format: 'split' | 'packed'
  readonly indirect: boolean
  readonly eventIndex: boolean
  readonly inOrder: boolean
  readonly queues: number
}

const CELLS: Cell[] = (['split', 'packed'] as const).flatMap(format =>
  [false, true].flatMap(indirect =>
    [false, true].flatMap(eventIndex =>
      [false, true].flatMap(inOrder => [1, 4].map(queues => ({ format, indirect, eventIndex, inOrder, queues })))
    )
  )
)

function featuresOf ({ format, indirect, eventIndex, inOrder }: Cell): readonly number[] {
  return [
    VirtioBlkFeature.MQ,
    VirtioBlkFeature.FLUSH,
    ...(format === 'packed' ? [RING_PACKED] : []),
    ...(indirect ? [INDIRECT_DESC] : []),
    ...(eventIndex ? [EVENT_IDX] : []),
    ...(inOrder ? [IN_ORDER] : [])
  ]
}

/** Writes and reads at random on all queues, and checks the whole disk. */
async function verify ({ guest, blk }: BlkGuest, seed: number, commands = 200): Promise<void> {
  const { memory } = guest
  const disk = new DiskVerifier({
    memory,
    blockBytes: BLOCK_BYTES,
    blockCount: BLOCK_COUNT,
    transferBlocksMax: 48,
    seed
  })
  await disk.run(blk.queues, { depth: 8, commands })
  await disk.check(blk.queues[0]!)
  expect(guest.driver.anomalies).toEqual([])
  expect(memory.areGuardsIntact).toBe(true)
}

describe('data', () => {
  it.each(CELLS)(
    'is right with $format queues, indirect $indirect, event indexes $eventIndex, in order $inOrder, queues $queues',
    async cell => {
      const { path } = await serveVirtioBlk(cleanup, { inOrder: cell.inOrder })
      const guest = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
      const only = featuresOf(cell)
      await guest.blk.start({ features: { only }, queues: cell.queues, framing: { indirect: cell.indirect } })
      expect(guest.guest.driver.features).toEqual(new Set([...only, VirtioFeature.VERSION_1]))
      await verify(guest, CELLS.indexOf(cell))
    }
  )

  it.each<readonly [string, BlkFraming]>([
    ['header and data in one descriptor', { joinHeader: true }],
    ['data and status in one descriptor', { joinStatus: true }],
    ['one descriptor for each direction', { joinHeader: true, joinStatus: true }],
    ['odd pieces', { cut: [15, 1, 333, 4096, 2048] }],
    ['odd pieces of one buffer', { joinHeader: true, joinStatus: true, cut: [7, 511, 4000, 8192] }]
  ])('is right with %s, in both formats', async (_, framing) => {
    const { path } = await serveVirtioBlk(cleanup)
    const guest = await attachBlkGuest(cleanup, path, { doorbells: 'posted' })
    for (const without of [[], [RING_PACKED]]) {
      for (const indirect of [false, true]) {
        await guest.blk.start({ features: { without }, queues: 2, framing: { ...framing, indirect } })
        await guest.blk.queues[0]!.writeZeroes([{ sector: 0, sectorCount: BLOCK_COUNT }])
        await verify(guest, 77, 120)
      }
    }
  })

  it.each<VirtioGuestOptions & Pick<StartBlkOptions, 'size'> & { readonly name: string, readonly mode?: 'mmap' }>([
    { name: 'notifications that are answered' },
    { name: 'MSI-X', interrupts: 'msix', doorbells: 'posted' },
    { name: 'two vectors for all queues', interrupts: 'msix', vectors: 2 },
    { name: 'INTx', interrupts: 'intx', doorbells: 'posted' },
    { name: 'notifications in shared memory', doorbells: 'mmap', mode: 'mmap' },
    { name: 'notifications in shared memory and MSI-X', doorbells: 'mmap', mode: 'mmap', interrupts: 'msix' },
    { name: 'structures through configuration space', path: 'config' },
    { name: 'queues that are always full', size: 64, doorbells: 'posted', interrupts: 'msix' }
  ])('is right with $name, in both formats', async ({ mode = 'trap', size = 128, ...options }) => {
    const { path } = await serveVirtioBlk(cleanup, { doorbells: mode })
    const guest = await attachBlkGuest(cleanup, path, options)
    for (const without of [[], [RING_PACKED], [EVENT_IDX, NOTIFICATION_DATA], [RING_PACKED, EVENT_IDX]]) {
      await guest.blk.start({ features: { without }, queues: 3, size })
      await guest.blk.queues[0]!.writeZeroes([{ sector: 0, sectorCount: BLOCK_COUNT }])
      await verify(guest, 5, 200)
    }
  })
})
