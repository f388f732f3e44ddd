import { DmaAccess, FaultPolicy } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { IoOpcode } from '../src/opcodes.js'
import { Status } from '../src/status.js'
import { stuckBackend } from './fakes/fake-backend.js'
import { DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn, PAGE } from './fakes/harness.js'
import type { CommandFields, HarnessOptions } from './fakes/harness.js'

const CC = 0x14
const CSTS = 0x1c
const RDY = 1
const CFS = 2
const AWAY = 0x5000_0000
const { DROP, FAULT, FATAL } = FaultPolicy

async function turns (count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

/** Queues of their own in memory that can go. */
async function startAway (options: HarnessOptions, sq: number, cq: number): Promise<Harness> {
  const harness = new Harness(options)
  harness.dma.map(AWAY, PAGE)
  await harness.enable()
  await harness.createCompletionQueue(1, cq, 16)
  await harness.createSubmissionQueue(1, sq, 16)
  return harness
}

const read = { opcode: IoOpcode.READ, nsid: 1 }
const write = { opcode: IoOpcode.WRITE, nsid: 1 }
const twoPages = { prp1: DATA, cdw12: 2 * PAGE / 512 - 1 }
const fivePages = { prp1: DATA, cdw12: 5 * PAGE / 512 - 1 }

const transfers: Record<string, CommandFields> = {
  'data to the host, unmapped': { ...read, prp1: AWAY },
  'data from the host, unmapped': { ...write, prp1: AWAY },
  'the second of two pages': { ...read, ...twoPages, prp2: AWAY },
  'memory that is read-only': { ...read, prp1: AWAY + PAGE },
  'memory that is write-only': { ...write, prp1: AWAY + 2 * PAGE },
  'an address above 2^53': { ...read, prp1: 2 ** 60 },
  'a PRP list': { ...read, ...fivePages, prp2: AWAY },
  'the end of a PRP list': { ...read, ...fivePages, prp2: DATA - 16 },
  'a PRP list and its next one': { ...write, ...fivePages, prp2: AWAY + 3 * PAGE - 8 }
}
const transferCases = Object.entries(transfers)

async function startWithGaps (faultPolicy: FaultPolicy, isShared: boolean): Promise<[Harness, HostQueue]> {
  const harness = new Harness({ faultPolicy, isShared })
  // The list that ends here goes on where nothing is.
  harness.view.setBigUint64(DATA - 16, BigInt(DATA), true)
  harness.view.setBigUint64(DATA - 8, BigInt(AWAY), true)
  harness.dma.map(AWAY + PAGE, PAGE, { access: DmaAccess.READ })
  harness.dma.map(AWAY + 2 * PAGE, PAGE, { access: DmaAccess.WRITE })
  return [harness, await harness.start()]
}

describe.each([['shared', true], ['not shared', false]])('data that cannot be reached, in memory that is %s', (
  _how,
  isShared
) => {
  it.each(transferCases)('drop: %s is nothing to tell', async (_what, fields) => {
    const [harness, queue] = await startWithGaps(DROP, isShared)
    expect((await queue.run(fields)).status).toBe(Status.SUCCESS)
    expect(harness.read32(CSTS)).toBe(RDY)
  })

  it.each(transferCases)('fault: %s is a Data Transfer Error that may be retried', async (_what, fields) => {
    const [harness, queue] = await startWithGaps(FAULT, isShared)
    expect(await queue.run(fields)).toMatchObject({ status: Status.DATA_TRANSFER_ERROR, isFinal: false })
    expect(harness.read32(CSTS)).toBe(RDY)
  })

  it.each(transferCases)('fatal: %s stops the controller, until it is reset', async (_what, fields) => {
    const [harness, queue] = await startWithGaps(FATAL, isShared)
    for (const each of [fields, { opcode: IoOpcode.FLUSH, nsid: 1 }]) {
      queue.put(each)
      queue.ring()
      await turns(20)
    }
    expect([harness.read32(CSTS), queue.peek()]).toEqual([RDY | CFS, undefined])
    expect(harness.backends[0]!.calls).not.toContain('flush')
    await harness.disable()
    const again = await harness.start()
    expect((await again.run({ ...read, prp1: DATA })).status).toBe(Status.SUCCESS)
  })

  it('drop: what there is of a buffer is transferred, and ones for the rest', async () => {
    const [harness, queue] = await startWithGaps(DROP, isShared)
    const stored = harness.backends[0]!.bytes
    stored.fill(0x11)
    await queue.run({ ...read, ...twoPages, prp2: AWAY })
    expect(harness.bytes.subarray(DATA, DATA + PAGE).every(byte => byte === 0x11)).toBe(true)
    harness.bytes.fill(0x22, DATA, DATA + PAGE)
    await queue.run({ ...write, ...twoPages, prp2: AWAY })
    expect([stored[0], stored[PAGE - 1], stored[PAGE], stored[2 * PAGE - 1]]).toEqual([0x22, 0x22, 0xff, 0xff])
  })
})

describe.each([
  ['submission', AWAY, IO_CQ],
  ['completion', IO_SQ, AWAY]
])('a %s queue whose memory is away', (_kind, sq, cq) => {
  it.each([[DROP, 0, RDY], [FAULT, 0, RDY | CFS], [FAULT, 60_000, RDY], [FATAL, 60_000, RDY | CFS]] as const)(
    '%s: after a doorbell, with %i ms of grace, CSTS is %i',
    async (faultPolicy, graceMs, status) => {
      const harness = await startAway({ faultPolicy, graceMs }, sq, cq)
      harness.dma.unmap(AWAY)
      harness.writeDoorbell(2, 1)
      await turns()
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(harness.read32(CSTS)).toBe(status)
    }
  )

  it.each([[DROP], [FAULT]])('%s: goes on when it is back, with every command once', async faultPolicy => {
    const harness = await startAway({ faultPolicy }, sq, cq)
    const memory = harness.dma.unmap(AWAY)
    harness.writeDoorbell(2, 3)
    await turns()
    const commands = sq === AWAY ? memory : harness.bytes.subarray(sq)
    // Written while the ring is away, or while its completions are: the host has them ready before the doorbell.
    for (let index = 0; index < 3; index++) commands.set([IoOpcode.FLUSH, 0, 7 + index, 0, 1], index * 64)
    harness.dma.map(AWAY, PAGE, { memory })
    await turns()
    const completions = cq === AWAY ? memory : harness.bytes.subarray(cq)
    const told = [0, 1, 2, 3].map(index => completions[index * 16 + 14]! & 1)
    expect(told).toEqual([1, 1, 1, 0])
    expect(harness.read32(CSTS)).toBe(RDY)
  })

  it.each([
    ['CC.EN=0', (harness: Harness) => harness.disable()],
    ['a reset of the function', async (harness: Harness) => {
      await harness.controller.reset()
      await harness.disable()
    }]
  ])('is forgiven by %s', async (_what, recover) => {
    const harness = await startAway({ faultPolicy: FATAL }, sq, cq)
    harness.dma.unmap(AWAY)
    harness.writeDoorbell(2, 1)
    await turns()
    expect(harness.read32(CSTS)).toBe(RDY | CFS)
    await recover(harness)
    expect(harness.read32(CSTS)).toBe(0)
    const queue = await harness.start()
    expect((await queue.run({ ...read, prp1: DATA })).status).toBe(Status.SUCCESS)
    expect(harness.read32(CSTS)).toBe(RDY)
  })
})

it('a queue in pieces is served as far as its memory is there', async () => {
  const harness = new Harness()
  const pieces = [0, 1].map(index => harness.dma.map(AWAY + index * PAGE, PAGE))
  await harness.enable()
  await harness.createCompletionQueue(1, IO_CQ, 128)
  await harness.createSubmissionQueue(1, AWAY, 128)
  const queue = new HostQueue(harness, 1, { sq: AWAY, cq: IO_CQ, size: 128 })
  for (const piece of pieces) {
    for (let index = 0; index < 64; index++) piece.set([IoOpcode.FLUSH, 0, index, 0, 1], index * 64)
  }
  const second = harness.dma.unmap(AWAY + PAGE)
  harness.writeDoorbell(2, 100)
  await turns()
  const count = (): number => {
    let taken = 0
    while (queue.take() !== undefined) taken++
    return taken
  }
  expect(count()).toBe(64)
  harness.dma.map(AWAY + PAGE, PAGE, { memory: second })
  await turns()
  expect(count()).toBe(36)
})

describe('bus mastering that is switched off under a transfer', () => {
  it.each([[DROP, Status.SUCCESS], [FAULT, Status.DATA_TRANSFER_ERROR], [FATAL, Status.DATA_TRANSFER_ERROR]] as const)(
    '%s: nothing is transferred, and the completion (%i) comes when it is on again',
    async (faultPolicy, status) => {
      const { backend, release } = stuckBackend()
      const harness = new Harness({ faultPolicy, backends: [backend], graceMs: 0 })
      const queue = await harness.start()
      backend.bytes.fill(0x77)
      queue.put({ ...read, prp1: DATA })
      queue.ring()
      await turns()
      harness.dma.setBusMaster(false)
      release()
      await turns()
      expect(queue.peek()).toBeUndefined()
      harness.dma.setBusMaster(true)
      expect((await queue.next()).status).toBe(status)
      expect(harness.bytes[DATA]).toBe(0)
      expect(harness.read32(CSTS)).toBe(RDY)
    }
  )

  it('stops the grace time of memory that was missing before', async () => {
    const harness = await startAway({ graceMs: 5 }, AWAY, IO_CQ)
    harness.dma.unmap(AWAY)
    harness.writeDoorbell(2, 1)
    await turns(2)
    harness.dma.setBusMaster(false)
    await new Promise(resolve => setTimeout(resolve, 30))
    expect(harness.read32(CSTS)).toBe(RDY)
    harness.dma.setBusMaster(true)
    await expect.poll(() => harness.read32(CSTS)).toBe(RDY | CFS)
  })
})

describe.each([[DROP], [FAULT], [FATAL]])('%s: a back end that is stuck', faultPolicy => {
  it.each([
    ['CC.EN=0', async (harness: Harness) => {
      harness.write32(CC, harness.read32(CC) & ~1)
      while (harness.read32(CSTS) !== 0) await nextTurn()
    }],
    ['a reset of the function', (harness: Harness) => harness.controller.reset()]
  ])('does not hold up %s, and what it ends afterwards goes nowhere', async (_what, stop) => {
    const { backend, release } = stuckBackend()
    const harness = new Harness({ faultPolicy, backends: [backend] })
    const queue = await harness.start()
    harness.dma.drainTurns = 3
    backend.bytes.fill(0x77)
    for (let index = 0; index < 4; index++) queue.put({ ...read, prp1: DATA + index * PAGE })
    queue.ring()
    await turns()
    await stop(harness)
    const before = Buffer.from(harness.bytes)
    const writes: number[] = []
    harness.dma.onWrite = iova => writes.push(iova)
    release()
    await turns()
    expect(writes).toEqual([])
    expect(before.equals(harness.bytes)).toBe(true)
    await harness.disable()
    const again = await harness.start()
    expect((await again.run({ ...read, prp1: DATA, cid: 0x4444 })).cid).toBe(0x4444)
    expect(harness.read32(CSTS)).toBe(RDY)
  })
})
