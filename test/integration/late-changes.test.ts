import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pattern } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import {
  attachWithData,
  DATA_TRANSFER_ERROR,
  isFetched,
  serveWith,
  transfer,
  unmapAndPoison,
  WRITE
} from './data-memory.js'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import type { Guest } from './testbed.js'

const PAGE = 4096
const LBA = 64
/** The namespace whose first write is stuck. */
const STUCK = 2

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A controller that works on a write of ones to a page at LBA, until it is released. */
async function startStuck () {
  const path = join(createFolder(cleanup), 'release')
  const release = (): void => writeFileSync(path, '')
  const device = await serveWith(cleanup, `stuck-write:${path}`)
  cleanup.add(release, () => release())
  const { guest, queue, data } = await attachWithData(cleanup, device)
  data.file.bytes.fill(1)
  const write = transfer(queue, WRITE, { nsid: STUCK, lba: LBA })
  write.catch(() => undefined)
  await isFetched(queue)
  return { device, guest, queue, data, write, release }
}

function readPage (queue: IoQueue, lba: number): Promise<Uint8Array> {
  return queue.readBytes(STUCK, lba, BLOCK_BYTES, PAGE)
}

/** Whether work in other places goes on, all of which is submitted after it. */
async function isHeldUp (queue: IoQueue, work: Promise<unknown>): Promise<boolean> {
  let isDone = false
  work.then(() => isDone = true, () => isDone = true)
  await queue.writeBytes(STUCK, LBA + 8, BLOCK_BYTES, pattern(PAGE, 8))
  expect(await readPage(queue, LBA + 8)).toEqual(pattern(PAGE, 8))
  await queue.flush(STUCK)
  return !isDone
}

describe('a write whose memory was taken away in a back end that is stuck', () => {
  it('ends at once, once, and never overwrites what is written later', async () => {
    const { device, guest, queue, data, write, release } = await startStuck()
    await unmapAndPoison(guest, data)
    expect((await write).status).toMatchObject(DATA_TRANSFER_ERROR)
    const newer = queue.writeBytes(STUCK, LBA, BLOCK_BYTES, pattern(PAGE, 3))
    expect(await isHeldUp(queue, newer)).toBe(true)
    release()
    await newer
    expect(await readPage(queue, LBA)).toEqual(pattern(PAGE, 3))
    expect(guest.driver.anomalies).toEqual([])
    expect(device.isRunning).toBe(true)
  })

  it('is seen by a later read as it ended', async () => {
    const { guest, queue, data, write, release } = await startStuck()
    await unmapAndPoison(guest, data)
    await write
    const read = readPage(queue, LBA)
    expect(await isHeldUp(queue, read)).toBe(true)
    release()
    expect((await read).every(byte => byte === 1)).toBe(true)
  })
})

interface Reset {
  readonly name: string
  readonly reset: (guest: Guest) => Promise<void>
}

const resets: readonly Reset[] = [
  { name: 'VFIO_USER_DEVICE_RESET', reset: guest => guest.client.reset() },
  { name: 'a function-level reset', reset: guest => guest.pci.functionLevelReset() },
  { name: 'CC.EN = 0', reset: guest => guest.driver.disable() }
]

describe('with a back end that is stuck', () => {
  it.each(resets)('$name is followed by a controller that is ready and works', async ({ reset }) => {
    const { guest, release } = await startStuck()
    await reset(guest)
    guest.driver.abandon('The function was reset.')
    await guest.pci.enable()
    await guest.driver.enable()
    expect((await guest.driver.admin.identifyController()).nn).toBeGreaterThan(0)
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
    const newer = queue.writeBytes(STUCK, LBA, BLOCK_BYTES, pattern(PAGE, 4))
    expect(await isHeldUp(queue, newer)).toBe(true)
    release()
    await newer
    expect(await readPage(queue, LBA)).toEqual(pattern(PAGE, 4))
    expect(guest.driver.anomalies).toEqual([])
  })

  it('a shutdown completes', async () => {
    const { guest } = await startStuck()
    await guest.driver.shutDown()
    expect((await guest.driver.registers.status()).shutdown).toBe(2)
  })
})
