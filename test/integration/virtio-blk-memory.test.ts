import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  DataBuffer,
  GuestFile,
  pattern,
  VirtioBlkQueue,
  VirtioBlkRequest,
  VirtioBlkStatus,
  VirtioFeature
} from '@pcikit/testkit'
import type { GuestMemory, GuestRegion, VirtioGuest } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { CommandProcess } from '../command-process.js'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import { attachBlkGuest, GRACE_MS, serveVirtioBlk } from './virtio-testbed.js'
import type { BlkGuest } from './virtio-testbed.js'

const PAGE = 4096
const MIB = 1024 * 1024
const DATA_IOVA = 0x4000_0000
const DATA_BYTES = 256 * 1024
/** What the data are filled with once they are no longer the device's. */
const POISON = 0xdb
const SECTOR = 64
const plugin = fileURLToPath(new URL('stuck-backend.mjs', import.meta.url))

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A guest whose data is in memory of its own. */
async function attachWithData (path: string) {
  const file = GuestFile.create(DATA_BYTES)
  const attached = await attachBlkGuest(cleanup, path, {
    layOut: (memory: GuestMemory) => {
      memory.add({ iova: MIB, byteLength: 4 * MIB })
      memory.add({ iova: DATA_IOVA, byteLength: DATA_BYTES, file })
      memory.reserve(DATA_IOVA, DATA_BYTES)
    }
  })
  const region = attached.guest.memory.regions.find(({ iova }) => iova === DATA_IOVA)!
  return { ...attached, file, region }
}

async function firstQueue ({ blk }: BlkGuest): Promise<VirtioBlkQueue> {
  const [queue] = await blk.start({ size: 64 })
  return queue!
}

async function mapAgain (guest: VirtioGuest, region: GuestRegion): Promise<void> {
  await guest.memory.map(guest.client, [region])
}

/** A disk that works on a write of ones to a page at SECTOR, until it is released. */
async function startStuck () {
  const folder = createFolder(cleanup)
  const gate = join(folder, 'release')
  const release = (): void => writeFileSync(gate, '')
  cleanup.add(release, () => release())
  const path = join(folder, 'disk.sock')
  const words = ['--backend', `stuck-write:${gate}`, '--plugin', plugin, '--log-level', 'error']
  const grace = ['--grace-ms', String(GRACE_MS)]
  const command = await CommandProcess.serve(['run', 'virtio-blk', '--socket', path, ...words, ...grace])
  cleanup.add(command, each => each[Symbol.asyncDispose]())
  const attached = await attachWithData(path)
  const queue = await firstQueue(attached)
  attached.file.bytes.fill(1)
  const out = DataBuffer.at(attached.guest.memory, DATA_IOVA, PAGE)
  const write = queue.submit({ type: VirtioBlkRequest.OUT, sector: SECTOR, out })
  write.catch(() => undefined)
  // Requests of a queue are taken in order.
  await queue.flush()
  return { ...attached, queue, write, release, command }
}

async function unmapAndPoison ({ guest, file }: { guest: VirtioGuest, file: GuestFile }): Promise<void> {
  await guest.client.unmapDma(DATA_IOVA, DATA_BYTES)
  file.bytes.fill(POISON)
}

/** Whether work in other places goes on, all of which is submitted after it. */
async function isHeldUp (queue: VirtioBlkQueue, work: Promise<unknown>): Promise<boolean> {
  let isDone = false
  work.then(() => isDone = true, () => isDone = true)
  await queue.writeBytes(SECTOR + 8, pattern(PAGE, 8))
  expect(await queue.readBytes(SECTOR + 8, PAGE)).toEqual(pattern(PAGE, 8))
  await queue.flush()
  return !isDone
}

describe('a write whose memory was taken away in a back end that is stuck', () => {
  it('ends at once, once, and never overwrites what is written later', async () => {
    const stuck = await startStuck()
    await unmapAndPoison(stuck)
    const answer = await stuck.write
    expect([answer.status, answer.written]).toEqual([VirtioBlkStatus.IOERR, 1])
    const newer = stuck.queue.writeBytes(SECTOR, pattern(PAGE, 3))
    expect(await isHeldUp(stuck.queue, newer)).toBe(true)
    stuck.release()
    await newer
    expect(await stuck.queue.readBytes(SECTOR, PAGE)).toEqual(pattern(PAGE, 3))
    expect(stuck.blk.device.anomalies).toEqual([])
    expect(stuck.command.isRunning).toBe(true)
  })

  it('is seen by a later read as it ended', async () => {
    const stuck = await startStuck()
    await unmapAndPoison(stuck)
    await stuck.write
    const read = stuck.queue.readBytes(SECTOR, PAGE)
    expect(await isHeldUp(stuck.queue, read)).toBe(true)
    stuck.release()
    expect((await read).every(byte => byte === 1)).toBe(true)
  })
})

describe('a used ring that the client does not share', () => {
  it('goes away as its index is stored, and the index never goes back', async () => {
    const USED = 0x3000_0000
    const { path } = await serveVirtioBlk(cleanup)
    const attached = await attachBlkGuest(cleanup, path, {
      layOut: (memory: GuestMemory) => {
        memory.add({ iova: MIB, byteLength: 4 * MIB })
        memory.add({ iova: USED, byteLength: PAGE, shared: false })
        memory.reserve(USED, PAGE)
      }
    })
    const { guest: { client, memory }, blk } = attached
    const region = memory.regions.find(({ iova }) => iova === USED)!
    const place = { descriptors: memory.allocate(PAGE), driver: memory.allocate(PAGE), device: USED }
    const [queue] = await blk.start({
      features: { without: [VirtioFeature.RING_PACKED, VirtioFeature.EVENT_IDX] },
      queues: [{ index: 0, size: 64, place }]
    })
    const indices: number[] = []
    const moves: Promise<void>[] = []
    const write = memory.write.bind(memory)
    memory.write = (iova, source) => {
      const isDone = write(iova, source)
      if (iova !== USED) return isDone
      const index = source[2]! | source[3]! << 8
      // The unmap is on its way before the answer is.
      if (index > (indices.at(-1) ?? 0) && moves.length < 20) {
        moves.push(
          client.unmapDma(USED, PAGE).then(async () => {
            await attached.guest.turns(4)
            await memory.map(client, [region])
          })
        )
      }
      indices.push(index)
      return isDone
    }
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 16 }, (_, at) => queue!.writeBytes(at * 8, pattern(PAGE, at))))
    }
    await Promise.all(moves)
    expect(moves.length).toBe(20)
    expect(indices).toEqual(indices.toSorted((left, right) => left - right))
    expect(blk.device.anomalies).toEqual([])
  })
})

interface Reset {
  readonly name: string
  readonly reset: (attached: BlkGuest) => Promise<void>
}

const resets: readonly Reset[] = [
  { name: 'VFIO_USER_DEVICE_RESET', reset: ({ guest }) => guest.client.reset() },
  { name: 'a function-level reset', reset: ({ guest }) => guest.pci.functionLevelReset() },
  { name: 'device_status = 0', reset: ({ blk }) => blk.device.common.reset() }
]

describe('with a back end that is stuck', () => {
  it.each(resets)('$name is followed by a device that works', async ({ reset }) => {
    const stuck = await startStuck()
    await reset(stuck)
    stuck.blk.device.abandon('The device was reset.')
    await stuck.guest.pci.enable()
    const queue = await firstQueue(stuck)
    const newer = queue.writeBytes(SECTOR, pattern(PAGE, 4))
    expect(await isHeldUp(queue, newer)).toBe(true)
    stuck.release()
    await newer
    expect(await queue.readBytes(SECTOR, PAGE)).toEqual(pattern(PAGE, 4))
    expect(stuck.blk.device.anomalies).toEqual([])
  })

  it('the reset of its queue ends when it has answered', async () => {
    const stuck = await startStuck()
    const reset = stuck.blk.device.resetQueue(0)
    stuck.release()
    await reset
    const queue = await stuck.blk.device.createQueue({ index: 0, size: 64 })
    const requests = new VirtioBlkQueue(queue, stuck.guest.memory)
    expect((await requests.readBytes(SECTOR, PAGE)).every(byte => byte === 1)).toBe(true)
  })
})

describe('memory that is away', () => {
  it('fails the request whose data it held, and nothing else', async () => {
    const { path } = await serveVirtioBlk(cleanup)
    const attached = await attachWithData(path)
    const queue = await firstQueue(attached)
    await unmapAndPoison(attached)
    const out = DataBuffer.at(attached.guest.memory, DATA_IOVA, PAGE)
    const write = await queue.submit({ type: VirtioBlkRequest.OUT, out })
    const read = await queue.submit({ type: VirtioBlkRequest.IN, in: out })
    expect([write.status, write.written, read.status, read.written]).toEqual([1, 1, 1, 1])
    expect(attached.file.bytes.every(byte => byte === POISON)).toBe(true)
    await mapAgain(attached.guest, attached.region)
    await queue.write({ slba: 0, buffer: out })
    expect((await queue.readBytes(0, BLOCK_BYTES)).every(byte => byte === POISON)).toBe(true)
  })

  it('holds back a request whose status it has, until it returns', async () => {
    const { path } = await serveVirtioBlk(cleanup)
    const attached = await attachWithData(path)
    const queue = await firstQueue(attached)
    const { memory } = attached.guest
    const header = memory.allocate(PAGE)
    memory.store(header, Uint8Array.of(VirtioBlkRequest.FLUSH))
    memory.store(DATA_IOVA, Uint8Array.of(0xee))
    await attached.guest.client.unmapDma(DATA_IOVA, DATA_BYTES)
    let isDone = false
    const flush = queue.queue.submit({
      readable: [{ iova: header, byteLength: 16 }],
      writable: [{ iova: DATA_IOVA, byteLength: 1 }]
    }).then(used => {
      isDone = true
      return used
    })
    await queue.flush()
    expect(isDone).toBe(false)
    await mapAgain(attached.guest, attached.region)
    expect((await flush).written).toBe(1)
    expect(memory.bytesAt(DATA_IOVA, 1)).toEqual(Uint8Array.of(0))
  })
})

describe('a client that went', () => {
  it('leaves a disk to the next one as it was', async () => {
    const { path } = await serveVirtioBlk(cleanup)
    const first = await attachWithData(path)
    const queue = await firstQueue(first)
    await queue.writeBytes(7, pattern(BLOCK_BYTES, 7))
    first.guest.leave()
    const second = await attachWithData(path)
    expect(await (await firstQueue(second)).readBytes(7, BLOCK_BYTES)).toEqual(pattern(BLOCK_BYTES, 7))
  })
})
