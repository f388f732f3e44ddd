import { execFileSync } from 'node:child_process'
import { fstatSync, ftruncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTraces, GuestFile, pattern } from '@pcikit/testkit'
import type { GuestRegion, IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startDevice } from './device-process.js'
import type { DeviceProcess } from './device-process.js'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import type { Guest } from './testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
const DATA_IOVA = 0x4000_0000
const DATA_BYTES = 256 * KIB
const POISON = 0xdb
const READ = 2
const WRITE = 1
/** SCT 0, SC 04h. [NVMe-Base] "Generic Command Status". */
const DATA_TRANSFER_ERROR = { sct: 0, sc: 4 }
const plugin = fileURLToPath(new URL('stuck-backend.mjs', import.meta.url))

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** Memory with a file of its own, which holds data and nothing else. */
interface DataMemory {
  readonly file: GuestFile
  readonly inode: number
  readonly region: GuestRegion
}

/** A guest whose queues and data are in different files, at a controller in another process. */
async function attach (device: DeviceProcess, shared = true) {
  const file = GuestFile.create(DATA_BYTES)
  const placement = { iova: DATA_IOVA, byteLength: DATA_BYTES, file, shared }
  const guest = await attachGuest(cleanup, device.path, {
    layOut: memory => {
      memory.add({ iova: MIB, byteLength: 4 * MIB })
      memory.add(placement)
      memory.reserve(DATA_IOVA, DATA_BYTES)
    }
  })
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
  const region = guest.memory.regions.find(each => each.iova === DATA_IOVA)!
  const data: DataMemory = { file, inode: fstatSync(file.descriptor).ino, region }
  return { guest, queue, data }
}

/** Starts a controller whose namespace 1 is in memory, and whose namespace 2 may be something else. */
async function serve (second?: string): Promise<DeviceProcess> {
  const more = second === undefined ? [] : ['--plugin', plugin, '--backend', second]
  return startDevice(cleanup, ['--log-level', 'error', '--backend', 'memory:4MiB', ...more])
}

async function unmapAndPoison (guest: Guest, { file, region }: DataMemory): Promise<void> {
  await guest.client.unmapDma(region.iova, region.byteLength)
  file.bytes.fill(POISON)
}

/** Whether nobody wrote to the data since it was unmapped. A few requests give whoever wants to the time for it. */
async function isUntouched (guest: Guest, { file }: DataMemory): Promise<boolean> {
  for (let turn = 0; turn < 20; turn++) await guest.client.getInfo()
  return file.bytes.every(byte => byte === POISON)
}

/** One page of data, or a part of it, as the command wants it. */
function transfer (queue: IoQueue, opcode: number, options: { nsid?: number, offset?: number } = {}) {
  const { nsid = 1, offset = 0 } = options
  return queue.submit({ opcode, nsid, prp1: DATA_IOVA + offset, cdw10: 0, cdw12: 7 })
}

/** Waits until the controller has fetched what was submitted: it fetches in order. */
async function isFetched (queue: IoQueue): Promise<void> {
  await queue.flush(1)
}

describe('after the reply to an unmap', () => {
  it('the process has no trace of the file, and did while it was mapped', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    await transfer(queue, READ)
    const before = findTraces(device.pid, data.inode)
    await unmapAndPoison(guest, data)
    expect(before.length).toBeGreaterThanOrEqual(2)
    expect(findTraces(device.pid, data.inode)).toEqual([])
  })

  it('the process has no trace of a file that it had in many regions', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    await guest.client.unmapDma(data.region.iova, data.region.byteLength)
    for (let offset = 0; offset < DATA_BYTES; offset += 4 * KIB) {
      // In an order in which no two neighbours are neighbours in the file: the kernel would make one of their mappings.
      const place = { iova: DATA_IOVA + offset, fileOffset: 7 * offset % DATA_BYTES, byteLength: 4 * KIB }
      await guest.client.mapDma({ ...place, descriptor: data.file.descriptor })
      await transfer(queue, READ, { offset })
    }
    const before = findTraces(device.pid, data.inode)
    await unmapAndPoison(guest, data)
    expect(before.length).toBeGreaterThanOrEqual(DATA_BYTES / (4 * KIB))
    expect(findTraces(device.pid, data.inode)).toEqual([])
  })

  it('the process has no trace of anything, where the unmap was of everything', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    await transfer(queue, READ)
    const inodes = guest.memory.regions.map(region => fstatSync(region.file.descriptor).ino)
    await guest.client.unmapAll()
    expect(new Set(inodes).size).toBe(2)
    expect(inodes.flatMap(inode => findTraces(device.pid, inode))).toEqual([])
    expect(data.inode).toBe(inodes[1])
  })

  it('nothing is written by reads that were on their way', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    const reads = Array.from({ length: 60 }, (_, page) => transfer(queue, READ, { offset: page % 64 * 4 * KIB }))
    await unmapAndPoison(guest, data)
    const statuses = (await Promise.all(reads)).map(({ status }) => status.sc)
    expect(statuses.filter(sc => sc !== 0 && sc !== DATA_TRANSFER_ERROR.sc)).toEqual([])
    expect(await isUntouched(guest, data)).toBe(true)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('commands for that memory are Data Transfer Errors, and others work', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    await unmapAndPoison(guest, data)
    const read = await transfer(queue, READ)
    const write = await transfer(queue, WRITE)
    expect([read.status, write.status]).toMatchObject([DATA_TRANSFER_ERROR, DATA_TRANSFER_ERROR])
    const bytes = pattern(BLOCK_BYTES, 1)
    await queue.writeBytes(1, 0, BLOCK_BYTES, bytes)
    expect(await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(bytes)
    expect(await isUntouched(guest, data)).toBe(true)
  })
})

describe('a back end that does not answer', () => {
  it('cannot hold an unmap, and the rest of the controller goes on', async () => {
    const release = join(createFolder(cleanup), 'release')
    const device = await serve(`stuck-careless:${release}`)
    // Only the end of the test lets go of it: a controller is not closed before its back ends have answered.
    cleanup.add(release, path => writeFileSync(path, ''))
    const { guest, queue, data } = await attach(device)
    void transfer(queue, READ, { nsid: 2 }).catch(() => undefined)
    await isFetched(queue)
    const unmapped = unmapAndPoison(guest, data)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 2))
    await unmapped
    expect(findTraces(device.pid, data.inode)).toEqual([])
    expect(queue.submission.pendingCount).toBe(1)
    expect(await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(pattern(BLOCK_BYTES, 2))
  })

  it('reaches nothing with arrays that it kept, and its command is a Data Transfer Error', async () => {
    const release = join(createFolder(cleanup), 'release')
    const device = await serve(`stuck-careless:${release}`)
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    await unmapAndPoison(guest, data)
    writeFileSync(release, '')
    expect((await read).status).toMatchObject(DATA_TRANSFER_ERROR)
    expect(await isUntouched(guest, data)).toBe(true)
    expect(device.isRunning).toBe(true)
  })

  it('writes all of its data while the unmap waits for it, or fails', async () => {
    const release = join(createFolder(cleanup), 'release')
    const device = await serve(`stuck-careless:${release}`)
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    const unmapped = guest.client.unmapDma(data.region.iova, data.region.byteLength)
    writeFileSync(release, '')
    await unmapped
    const isWritten = data.file.bytes.subarray(0, 4 * KIB).every(byte => byte === 0x66)
    const { status } = await read
    data.file.bytes.fill(POISON)
    expect(status.sc).toBe(isWritten ? 0 : DATA_TRANSFER_ERROR.sc)
    expect(await isUntouched(guest, data)).toBe(true)
  })

  it('has its memory taken from under the kernel as well', async () => {
    const fifo = join(createFolder(cleanup), 'fifo')
    execFileSync('mkfifo', [fifo])
    const device = await serve(`stuck-kernel:${fifo}`)
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    await unmapAndPoison(guest, data)
    expect(findTraces(device.pid, data.inode)).toEqual([])
    writeFileSync(fifo, new Uint8Array(4 * KIB).fill(0x66))
    expect((await read).status).toMatchObject(DATA_TRANSFER_ERROR)
    expect(await isUntouched(guest, data)).toBe(true)
    expect(device.isRunning).toBe(true)
  })

  it('does not keep memory from coming back, at the same address and in another file', async () => {
    const release = join(createFolder(cleanup), 'release')
    const device = await serve(`stuck-careless:${release}`)
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    const file = GuestFile.create(DATA_BYTES)
    const left = await guest.memory.move(guest.client, data.region, 0, file)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(4 * KIB, 3))
    const again = await transfer(queue, READ)
    writeFileSync(release, '')
    expect((await read).status).toMatchObject(DATA_TRANSFER_ERROR)
    expect(again.status.sc).toBe(0)
    expect(file.bytes.slice(0, 4 * KIB)).toEqual(pattern(4 * KIB, 3))
    expect(left.isUntouched).toBe(true)
  })
})

describe('a client that does not answer for its memory', () => {
  it('gets the reply to its unmap all the same, and the command is a Data Transfer Error', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device, false)
    const asked = new Promise<void>(resolve => {
      guest.client.dma.behaviour = ({ iova }) => {
        if (iova < DATA_IOVA) return { kind: 'answer' }
        resolve()
        return { kind: 'ignore' }
      }
    })
    const write = transfer(queue, WRITE)
    await asked
    await guest.client.unmapDma(data.region.iova, data.region.byteLength)
    expect((await write).status).toMatchObject(DATA_TRANSFER_ERROR)
    expect(guest.driver.anomalies).toEqual([])
  })
})

describe('a file that becomes shorter under its mapping', () => {
  it('is a Data Transfer Error and never the end of the process', async () => {
    const device = await serve()
    const { guest, queue, data } = await attach(device)
    const before = await transfer(queue, READ, { offset: 128 * KIB })
    ftruncateSync(data.file.descriptor, 64 * KIB)
    const lost = await transfer(queue, READ, { offset: 128 * KIB })
    const kept = await transfer(queue, READ)
    expect([before.status.sc, lost.status.sc, kept.status.sc]).toEqual([0, DATA_TRANSFER_ERROR.sc, 0])
    expect(device.isRunning).toBe(true)
    await guest.client.unmapDma(data.region.iova, data.region.byteLength)
    expect(findTraces(device.pid, data.inode)).toEqual([])
  })
})
