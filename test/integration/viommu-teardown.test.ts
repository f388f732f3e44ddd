import { fstatSync } from 'node:fs'
import { BlockChaosLoad, ChaosConditions, findTraces, GuestFile, NvmeChaosDisk, NvmeDriver } from '@pcikit/testkit'
import type { GuestMemory, RegionPlacement } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startDevice } from './device-process.js'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const PAGE = 4096
const MIB = 1024 * 1024
/** Linux hands out IOVAs from here downwards. */
const DOMAIN_END = 0x1_0000_0000
/** An IOMMU keeps the addresses of message signalled interrupts to itself. */
const INTERRUPTS = { start: 0xfee0_0000, end: 0xfef0_0000 }
const ADDRESS_WIDTH_END = 2 ** 39
const BLOCK_COUNT = 2048

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

interface Range {
  readonly iova: number
  readonly byteLength: number
}

/**
 * How QEMU tears an IOMMU domain down: it covers the address space with ranges that are powers of two and lie at
 * multiples of their size, whatever was mapped inside.
 */
function teardownRanges (): Range[] {
  return [...powersOfTwo(0, INTERRUPTS.start), ...powersOfTwo(INTERRUPTS.end, ADDRESS_WIDTH_END)]
}

function powersOfTwo (start: number, end: number): Range[] {
  const ranges: Range[] = []
  for (let iova = start; iova < end;) {
    let byteLength = PAGE
    while (iova % (2 * byteLength) === 0 && iova + 2 * byteLength <= end) byteLength *= 2
    ranges.push({ iova, byteLength })
    iova += byteLength
  }
  return ranges
}

/** The pages of a domain, each with a mapping of its own, in places that are as disordered as in a real guest. */
function pagesOfDomain (file: GuestFile, count: number, round = 0): (RegionPlacement & { readonly file: GuestFile })[] {
  return Array.from({ length: count }, (_, page) => ({
    iova: DOMAIN_END - (count - page) * PAGE,
    byteLength: PAGE,
    file,
    fileOffset: (page * 7 + round) % count * PAGE
  }))
}

async function tearDown (guest: Guest): Promise<void> {
  for (const { iova, byteLength } of teardownRanges()) await guest.client.unmapDma(iova, byteLength)
}

/** A guest behind an IOMMU, with everything in single pages. Their number shares no factor with their disorder. */
function inDomain (count: number, file: GuestFile): (memory: GuestMemory) => void {
  return memory => pagesOfDomain(file, count).forEach(page => memory.add(page))
}

function createLoad ({ driver, pci, memory }: Guest, seed: number): BlockChaosLoad {
  const disk = new NvmeChaosDisk({ driver, pci, memory })
  return new BlockChaosLoad({ disk, memory, seed, blockBytes: BLOCK_BYTES, blockCount: BLOCK_COUNT })
}

describe('the ranges of a teardown', () => {
  it('are those that QEMU sends', () => {
    expect(teardownRanges()).toContainEqual({ iova: 0xff00_0000, byteLength: 0x100_0000 })
    expect(teardownRanges().at(-1)).toEqual({ iova: 2 ** 38, byteLength: 2 ** 38 })
    expect(teardownRanges().reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(ADDRESS_WIDTH_END - MIB)
  })
})

describe('a domain of single pages that is torn down by powers of two', () => {
  it('leaves nothing behind in the process', async () => {
    const device = await startDevice(cleanup, ['--log-level', 'error', '--backend', 'memory:4MiB'])
    const file = GuestFile.create(3000 * PAGE)
    const guest = await attachGuest(cleanup, device.path, { layOut: inDomain(3000, file), doorbells: 'posted' })
    const load = createLoad(guest, 1)
    await load.start(new ChaosConditions())
    load.pause()
    await load.idle()
    await load.prove()
    const inode = fstatSync(file.descriptor).ino
    const before = findTraces(device.pid, inode)
    await tearDown(guest)
    expect(before.length).toBeGreaterThan(100)
    expect(findTraces(device.pid, inode)).toEqual([])
    expect(device.isRunning).toBe(true)
  })

  it('ends every command once, and serves again when the domain is back, elsewhere in the file', async () => {
    const { path } = await serve(cleanup, { graceMs: 60_000 })
    const file = GuestFile.create(1024 * PAGE)
    const guest = await attachGuest(cleanup, path, { layOut: inDomain(1024, file), doorbells: 'posted' })
    const { client, memory } = guest
    const load = createLoad(guest, 2)
    const conditions = new ChaosConditions()
    await load.start(conditions)
    for (let round = 1; round <= 8; round++) {
      conditions.disturb()
      await tearDown(guest)
      const pages = pagesOfDomain(file, 1024, round)
      await memory.map(client, memory.relocate(DOMAIN_END - 1024 * PAGE, 1024 * PAGE, pages))
      conditions.calm()
      load.pause()
      await load.idle()
      await load.prove()
      load.resume()
    }
    load.pause()
    await load.idle()
    expect(load.commandCount).toBeGreaterThan(8 * 64)
    expect((await guest.driver.registers.status()).fatal).toBe(false)
  })

  it('goes in any order and again and again, with nothing there too', async () => {
    const { path, events } = await serve(cleanup)
    const guest = await attachGuest(cleanup, path, { layOut: inDomain(512, GuestFile.create(512 * PAGE)) })
    for (const { iova, byteLength } of teardownRanges().reverse()) await guest.client.unmapDma(iova, byteLength)
    await tearDown(guest)
    expect(events().filter(event => event.type === 'unmap')).toHaveLength(512)
    await guest.memory.map(guest.client)
    await tearDown(guest)
    expect(events().filter(event => event.type === 'unmap')).toHaveLength(1024)
  })
})

describe('an IOMMU that is switched on after firmware used the controller without it', () => {
  it('takes all of memory away, and the kernel finds a controller that it can reset', async () => {
    const { path, warnings } = await serve(cleanup, { graceMs: 60_000 })
    const guest = await attachGuest(cleanup, path)
    const { client, driver, memory } = guest
    await driver.enable()
    await driver.admin.setQueueCount(1)
    const queue = await driver.createQueuePair({ id: 1, depth: 16 })
    await queue.writeBytes(1, 7, BLOCK_BYTES, new Uint8Array(BLOCK_BYTES).fill(0x77))
    await memory.unmap(client)
    await tearDown(guest)
    pagesOfDomain(GuestFile.create(1024 * PAGE), 1024).forEach(page => memory.add(page))
    await memory.map(client, memory.regions.filter(region => region.byteLength === PAGE))
    // The firmware's pages are the first that the driver would take.
    memory.reserve(MIB, 16 * MIB)
    const [adminSubmissionIova, adminCompletionIova] = [memory.allocate(PAGE), memory.allocate(PAGE)]
    const kernel = new NvmeDriver({ access: client, memory })
    await kernel.enable({ adminSubmissionIova, adminCompletionIova })
    await kernel.admin.setQueueCount(1)
    const again = await kernel.createQueuePair({ id: 1, depth: 256 })
    expect(await again.readBytes(1, 7, BLOCK_BYTES, BLOCK_BYTES)).toEqual(new Uint8Array(BLOCK_BYTES).fill(0x77))
    expect(warnings).toEqual([])
  })
})
