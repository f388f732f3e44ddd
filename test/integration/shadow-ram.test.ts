import { BlockChaosLoad, ChaosConditions, DiskVerifier, DmaMapFlags, GuestFile, NvmeChaosDisk } from '@pcikit/testkit'
import type { DmaMapping, GuestMemory } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const RAM_BYTES = 0x2000_0000
const ROUNDS = 10

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** What is behind a range: RAM, RAM that must not be written, or ROM, for which QEMU shares no file. */
type Backing = 'ram' | 'ram, read-only' | 'rom'

/** A range of guest addresses that goes or comes. */
type Step =
  | { readonly type: 'unmap', readonly start: number, readonly end: number }
  | { readonly type: 'map', readonly start: number, readonly end: number, readonly backing: Backing }

function unmap (start: number, end: number): Step {
  return { type: 'unmap', start, end }
}

function map (start: number, end: number, backing: Backing = 'ram'): Step {
  return { type: 'map', start, end, backing }
}

/**
 * What QEMU 11.1 (q35, 512 MiB) sent to a controller while SeaBIOS 1.16 started, taken from the controller's record:
 * first the machine comes out of reset, and SeaBIOS opens all of the shadow RAM to copy itself there.
 */
const START: readonly Step[] = [
  unmap(0, RAM_BYTES),
  map(0, 0xc_0000),
  map(0xc_0000, 0xe_0000, 'rom'),
  map(0xe_0000, 0x10_0000, 'rom'),
  map(0x10_0000, RAM_BYTES),
  unmap(0, 0xc_0000),
  unmap(0xc_0000, 0xe_0000),
  unmap(0xe_0000, 0x10_0000),
  unmap(0x10_0000, RAM_BYTES),
  map(0, 0xd_8000),
  map(0xd_8000, 0xe_0000, 'rom'),
  map(0xe_0000, 0xf_0000, 'rom'),
  map(0xf_0000, RAM_BYTES),
  unmap(0, 0xd_8000),
  unmap(0xd_8000, 0xe_0000),
  unmap(0xe_0000, 0xf_0000),
  unmap(0xf_0000, RAM_BYTES),
  map(0, RAM_BYTES)
]

/** Then, with the controller in use, it locks the parts that hold code, for good. */
const LOCK: readonly Step[] = [
  unmap(0, RAM_BYTES),
  map(0, 0xc_3000),
  map(0xc_3000, 0xd_8000, 'ram, read-only'),
  map(0xd_8000, 0xf_0000),
  map(0xf_0000, 0x10_0000, 'ram, read-only'),
  map(0x10_0000, RAM_BYTES),
  unmap(0xc_3000, 0xd_8000),
  unmap(0xd_8000, 0xf_0000),
  map(0xc_3000, 0xe_8000, 'ram, read-only'),
  map(0xe_8000, 0xf_0000)
]

/** A reset of the machine brings it back to where it was. This is not from the record. */
const UNLOCK: readonly Step[] = [
  unmap(0, 0xc_3000),
  unmap(0xc_3000, 0xe_8000),
  unmap(0xe_8000, 0xf_0000),
  unmap(0xf_0000, 0x10_0000),
  unmap(0x10_0000, RAM_BYTES),
  map(0, RAM_BYTES)
]

interface Range {
  readonly start: number
  readonly end: number
}

/** A guest with 512 MiB whose driver has only these ranges of it, in order, for its queues and data. */
async function attach (path: string, ...ranges: readonly Range[]): Promise<Guest> {
  const layOut = (memory: GuestMemory): void => {
    memory.add({ iova: 0, byteLength: RAM_BYTES, file: GuestFile.create(RAM_BYTES) })
    const ends = [0, ...ranges.map(range => range.end)]
    const starts = [...ranges.map(range => range.start), RAM_BYTES]
    starts.forEach((start, index) => memory.reserve(ends[index]!, start - ends[index]!))
  }
  return attachGuest(cleanup, path, { layOut, doorbells: 'posted' })
}

function mappingOf (guest: Guest, step: Step & { readonly type: 'map' }): DmaMapping {
  const { start, end, backing } = step
  const range = { iova: start, byteLength: end - start }
  if (backing === 'rom') return { ...range, flags: DmaMapFlags.READABLE }
  const shared = { ...range, descriptor: guest.memory.regions[0]!.file.descriptor, fileOffset: start }
  return backing === 'ram' ? shared : { ...shared, flags: DmaMapFlags.READABLE }
}

function send (guest: Guest, step: Step): Promise<unknown> {
  if (step.type === 'unmap') return guest.client.unmapDma(step.start, step.end - step.start)
  return guest.client.mapDma(mappingOf(guest, step))
}

type Pace = 'one by one' | 'at once'

/** One by one, as under a vIOMMU, or all at once, as QEMU does in a transaction, of which it awaits the last reply. */
async function replay (guest: Guest, steps: readonly Step[], pace: Pace): Promise<void> {
  if (pace === 'at once') await Promise.all(steps.map(step => send(guest, step)))
  else for (const step of steps) await send(guest, step)
}

async function replayAll (guest: Guest, pace: Pace): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (const steps of [START, LOCK, UNLOCK]) {
      await replay(guest, steps, pace)
      await guest.client.getInfo()
    }
  }
}

const paces: readonly { readonly pace: Pace }[] = [{ pace: 'one by one' }, { pace: 'at once' }]

describe('a controller whose queues lie below 1 MiB, while firmware opens and locks its shadow RAM', () => {
  it.each(paces)('goes on without an error where its data is there too, with requests $pace', async ({ pace }) => {
    const { path } = await serve(cleanup, { graceMs: 60_000 })
    const guest = await attach(path, { start: 0x1_0000, end: 0xa_0000 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
    const disk = new DiskVerifier({
      memory: guest.memory,
      nsid: 1,
      blockBytes: BLOCK_BYTES,
      blockCount: 2048,
      transferBlocksMax: 8,
      seed: 1
    })
    let isChanging = true
    const load = async (): Promise<void> => {
      while (isChanging) await disk.run([queue], { depth: 8, commands: 64 })
    }
    const loaded = load()
    await replayAll(guest, pace)
    isChanging = false
    await loaded
    await disk.check(queue)
    expect(guest.driver.anomalies).toEqual([])
    expect((await guest.driver.registers.status()).fatal).toBe(false)
  })

  it.each(paces)('ends every command once where its data is above, with requests $pace', async ({ pace }) => {
    const { path } = await serve(cleanup, { graceMs: 60_000 })
    // The lower range has little more room than the queues need, so most of the data is in the upper one.
    const guest = await attach(path, { start: 0x9_0000, end: 0x9_c000 }, { start: 0x10_0000, end: 0x20_0000 })
    const { driver, memory, pci } = guest
    const disk = new NvmeChaosDisk({ driver, pci, memory })
    const load = new BlockChaosLoad({ disk, memory, seed: 2, blockBytes: BLOCK_BYTES, blockCount: 2048 })
    const conditions = new ChaosConditions()
    await load.start(conditions)
    conditions.disturb()
    await replayAll(guest, pace)
    conditions.calm()
    load.pause()
    await load.idle()
    await load.prove()
    expect(load.commandCount).toBeGreaterThan(ROUNDS)
    expect((await guest.driver.registers.status()).fatal).toBe(false)
  })

  it('keeps queues in the part of the shadow RAM that stays open when the rest is locked', async () => {
    const { path } = await serve(cleanup, { graceMs: 60_000 })
    const guest = await attach(path, { start: 0xe_8000, end: 0xf_0000 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 16 })
    for (let round = 0; round < ROUNDS; round++) {
      const commands = Array.from({ length: 40 }, () => queue.flush(1))
      await replay(guest, LOCK, 'at once')
      await Promise.all(commands)
      await queue.flush(1)
      await replay(guest, UNLOCK, 'one by one')
      await queue.flush(1)
    }
    expect(guest.driver.anomalies).toEqual([])
  })

  it('does not write to shadow RAM that is locked', async () => {
    const { path } = await serve(cleanup)
    const guest = await attach(path, { start: 0x1_0000, end: 0xa_0000 })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 16 })
    guest.memory.fill(0xf_0000, 4096, 0x5a)
    await replay(guest, LOCK, 'at once')
    const read = await queue.submit({ opcode: 2, nsid: 1, prp1: 0xf_0000, cdw10: 0, cdw12: 7 })
    const write = await queue.submit({ opcode: 1, nsid: 1, prp1: 0xf_0000, cdw10: 0, cdw12: 7 })
    expect([read.status, write.status]).toMatchObject([{ sct: 0, sc: 4 }, { sct: 0, sc: 0 }])
    expect(guest.memory.bytesAt(0xf_0000, 4096)).toEqual(new Uint8Array(4096).fill(0x5a))
    expect(await queue.readBytes(1, 0, BLOCK_BYTES, 4096)).toEqual(new Uint8Array(4096).fill(0x5a))
  })
})
