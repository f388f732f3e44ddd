import { execFileSync } from 'node:child_process'
import { fstatSync, ftruncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTraces, GuestFile, pattern } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import {
  attachWithData,
  DATA_BYTES,
  DATA_IOVA,
  DATA_TRANSFER_ERROR,
  isFetched,
  isUntouched,
  POISON,
  READ,
  serveWith,
  transfer,
  unmapAndPoison,
  WRITE
} from './data-memory.js'
import type { DeviceProcess } from './device-process.js'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'

const KIB = 1024

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const serve = (second?: string) => serveWith(cleanup, second)
const attach = (device: DeviceProcess, shared = true) => attachWithData(cleanup, device, shared)

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
    // Only the end of the test lets go of it: closing waits for back ends that have not answered, for a while.
    cleanup.add(release, path => writeFileSync(path, ''))
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    const unmapped = unmapAndPoison(guest, data)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 2))
    await unmapped
    expect(findTraces(device.pid, data.inode)).toEqual([])
    expect((await read).status).toMatchObject(DATA_TRANSFER_ERROR)
    expect(await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)).toEqual(pattern(BLOCK_BYTES, 2))
  })

  it('reaches nothing with arrays that it kept, and its command has ended before, once', async () => {
    const release = join(createFolder(cleanup), 'release')
    const device = await serve(`stuck-careless:${release}`)
    const { guest, queue, data } = await attach(device)
    const read = transfer(queue, READ, { nsid: 2 })
    await isFetched(queue)
    await unmapAndPoison(guest, data)
    expect((await read).status).toMatchObject(DATA_TRANSFER_ERROR)
    writeFileSync(release, '')
    expect(await isUntouched(guest, data)).toBe(true)
    await queue.flush(2)
    expect(guest.driver.anomalies).toEqual([])
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
