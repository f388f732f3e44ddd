import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import block from '@pcikit/block'
import { silentLogger } from '@pcikit/core'
import type { SegmentList } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { GuestMemory, NvmeDriver, PciDriver, seededRandom, VfioUserClient } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import snapshot, { SnapshotBackend } from '../src/index.js'
import { createBaseFile } from './base-file.js'

const BLOCK = 512
const BLOCK_COUNT = 40
const context = { blockSize: BLOCK, logger: silentLogger }

/** Blocks that each have their own number in all bytes, from 1 on. */
function numbered (blockCount = BLOCK_COUNT): Uint8Array {
  return Uint8Array.from({ length: blockCount * BLOCK }, (_, at) => Math.floor(at / BLOCK) + 1)
}

/** The first byte of each block. */
async function readNumbers (disk: SnapshotBackend, lba: number, blockCount: number): Promise<number[]> {
  const target = new Uint8Array(blockCount * BLOCK)
  await disk.read(lba, target)
  return Array.from({ length: blockCount }, (_, index) => target[index * BLOCK]!)
}

/** Pieces of an array. */
function piecesOf (bytes: Uint8Array, lengths: readonly number[]): SegmentList {
  const starts = lengths.map((_, index) => lengths.slice(0, index).reduce((sum, length) => sum + length, 0))
  return {
    byteLength: bytes.length,
    segmentCount: lengths.length,
    bytesAt: () => bytes,
    offsetAt: index => starts[index]!,
    lengthAt: index => lengths[index]!
  }
}

describe('a snapshot', () => {
  it('has the blocks of the file, but for those that were written', async () => {
    using file = createBaseFile(numbered())
    await using disk = await SnapshotBackend.open(file.path, context)
    await disk.write(2, new Uint8Array(2 * BLOCK).fill(0xaa))
    await disk.write(6, new Uint8Array(BLOCK).fill(0xbb))
    expect(await readNumbers(disk, 0, 8)).toEqual([1, 2, 0xaa, 0xaa, 5, 6, 0xbb, 8])
  })

  it('reads file and memory into pieces of any length', async () => {
    using file = createBaseFile(numbered())
    await using disk = await SnapshotBackend.open(file.path, context)
    await disk.write(1, new Uint8Array(BLOCK).fill(0xaa))
    const target = new Uint8Array(4 * BLOCK)
    await disk.read(0, piecesOf(target, [100, 0, 800, 148, 1000]))
    const expected = numbered(4).fill(0xaa, BLOCK, 2 * BLOCK)
    expect(Buffer.compare(target, expected)).toBe(0)
  })

  it('reads zeroes where it was discarded', async () => {
    using file = createBaseFile(numbered())
    await using disk = await SnapshotBackend.open(file.path, context)
    await disk.discard(3, 20)
    expect(await readNumbers(disk, 2, 3)).toEqual([3, 0, 0])
    expect(await readNumbers(disk, 22, 2)).toEqual([0, 24])
  })

  it('leaves the file as it was, and begins with it again', async () => {
    using file = createBaseFile(numbered())
    {
      await using disk = await SnapshotBackend.open(file.path, context)
      await disk.write(0, new Uint8Array(BLOCK_COUNT * BLOCK).fill(0xaa))
      disk.flush()
    }
    expect(Buffer.compare(readFileSync(file.path), numbered())).toBe(0)
    await using disk = await SnapshotBackend.open(file.path, context)
    expect(await readNumbers(disk, 0, 2)).toEqual([1, 2])
  })

  it('shares the file with others, who see nothing of each other', async () => {
    using file = createBaseFile(numbered())
    await using one = await SnapshotBackend.open(file.path, context)
    await using other = await SnapshotBackend.open(file.path, context)
    await one.write(0, new Uint8Array(BLOCK).fill(0xaa))
    expect(await readNumbers(one, 0, 1)).toEqual([0xaa])
    expect(await readNumbers(other, 0, 1)).toEqual([1])
  })

  it('is what a plain array would be, whatever is done to it', async () => {
    using file = createBaseFile(numbered())
    await using disk = await SnapshotBackend.open(file.path, context)
    const model = numbered()
    const random = seededRandom(1)
    const below = (limit: number): number => Math.floor(random() * limit)
    for (let step = 0; step < 300; step++) {
      const lba = below(BLOCK_COUNT)
      const blockCount = below(BLOCK_COUNT - lba) + 1
      if (below(4) === 0) {
        await disk.writeZeroes(lba, blockCount)
        model.fill(0, lba * BLOCK, (lba + blockCount) * BLOCK)
      } else if (below(2) === 0) {
        await disk.write(lba, new Uint8Array(Math.min(blockCount, 3) * BLOCK).fill(step))
        model.fill(step, lba * BLOCK, (lba + Math.min(blockCount, 3)) * BLOCK)
      }
      const target = new Uint8Array(blockCount * BLOCK)
      await disk.read(lba, target)
      expect(Buffer.compare(target, model.subarray(lba * BLOCK, (lba + blockCount) * BLOCK))).toBe(0)
    }
  })
})

describe('the back end snapshot', () => {
  it('is a disk of a device that knows nothing of it', async () => {
    using file = createBaseFile(numbered(2048))
    const path = `${file.path}.sock`
    await using host = createHost({ plugins: [socket, dma, block, snapshot, nvme] })
    const options = { backends: [`snapshot:${file.path}`] }
    await host.createDevice({ type: 'nvme', options, transport: { type: 'socket', options: { path } } })
    const memory = new GuestMemory()
    memory.add({ iova: 0x10_0000, byteLength: 0x10_0000 })
    const client = await VfioUserClient.connect(path, { memory })
    await memory.map(client)
    await new PciDriver(client).enable()
    const driver = new NvmeDriver({ access: client, memory })
    await driver.enable()
    const queue = await driver.createQueuePair({ id: 1, depth: 8 })
    await queue.writeBytes(1, 4, BLOCK, new Uint8Array(BLOCK).fill(0xaa))
    expect([...new Set(await queue.readBytes(1, 3, BLOCK, 3 * BLOCK))]).toEqual([4, 0xaa, 6])
    client.close()
    memory.close()
    expect(readFileSync(file.path)[4 * BLOCK]).toBe(5)
  })

  it.each(['snapshot', 'snapshot:'])('refuses %s', async spec => {
    await using host = createHost({ plugins: [socket, dma, block, snapshot, nvme] })
    const device = { type: 'nvme', options: { backends: [spec] } }
    const transport = { type: 'socket', options: { path: '/nowhere/disk.sock' } }
    await expect(host.createDevice({ ...device, transport })).rejects.toMatchObject({
      code: 'PCIKIT_BLOCK_SPEC_INVALID'
    })
  })

  it('says which file it cannot open', async () => {
    await expect(SnapshotBackend.open('/nowhere/disk.img', context)).rejects.toThrow('/nowhere/disk.img')
  })
})
