import { dirname } from 'node:path'
import {
  AdminOpcode,
  CONTROLLER_SOCKET,
  DataBuffer,
  DiskVerifier,
  firstDifference,
  GuestFile,
  NvmeStatusCode,
  pattern,
  POLLING_IOVA,
  PollingInitiator,
  Property,
  statusCode
} from '@pcikit/testkit'
import type { IoQueue, NvmeCommand } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, serve } from './testbed.js'
import type { Served } from './testbed.js'

const PAGE = 4096
const KIB = 1024
const MIB = 1024 * KIB

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A controller with mapped doorbells, found by the folder of its socket, as this initiator is told. */
async function servePolled (options: Record<string, unknown> = {}): Promise<Served & { readonly folder: string }> {
  const served = await serve(cleanup, { doorbells: 'mmap', ...options }, {}, CONTROLLER_SOCKET)
  return { ...served, folder: dirname(served.path) }
}

async function attach (folder: string, memoryBytes?: number): Promise<PollingInitiator> {
  const initiator = await PollingInitiator.attach(folder, memoryBytes === undefined ? {} : { memoryBytes })
  cleanup.add(initiator, () => initiator.drop())
  return initiator
}

async function enabled (options: Record<string, unknown> = {}): Promise<PollingInitiator> {
  const { folder } = await servePolled(options)
  const initiator = await attach(folder)
  await initiator.enable()
  return initiator
}

async function createQueue ({ driver }: PollingInitiator, id = 1, depth = 256): Promise<IoQueue> {
  if (id === 1) await driver.admin.setQueueCount(8)
  return driver.createQueuePair({ id, depth })
}

async function statusOf ({ driver }: PollingInitiator, command: NvmeCommand): Promise<number> {
  return statusCode(await driver.admin.submit(command))
}

describe('a polling initiator', () => {
  it('finds the controller with a VERSION of four bytes, and all regions', async () => {
    const { folder } = await servePolled()
    const initiator = await attach(folder)
    expect(await initiator.connection.regionCount()).toBe(9)
    expect((await initiator.connection.regionInfo(0)).areas).toEqual([{ offset: 0x1000, byteLength: 0x1000 }])
  })

  it('enables the controller with admin queues of 256 entries', async () => {
    const initiator = await enabled()
    const identity = await initiator.driver.admin.identifyController()
    expect(await initiator.driver.registers.read32(Property.AQA)).toBe(0xff_00ff)
    expect(identity.nn).toBeGreaterThanOrEqual(1)
    expect(identity.sqes).toBe(0x66)
    expect(identity.cqes).toBe(0x44)
  })

  it('sees doorbells of zero when the controller was enabled again', async () => {
    const initiator = await enabled()
    await initiator.driver.admin.identifyController()
    const before = initiator.doorbells.read(0x1000)
    await initiator.driver.disable()
    await initiator.driver.registers.write32(Property.CC, 0x46_0001)
    await initiator.driver.registers.waitReady(true, 5000)
    expect(before).toBe(1)
    expect(initiator.doorbells.read(0x1000)).toBe(0)
    expect(initiator.doorbells.read(0x1004)).toBe(0)
  })

  it('sees doorbells of zero when a queue was created again', async () => {
    const initiator = await enabled()
    const queue = await createQueue(initiator)
    await queue.flush(1)
    const before = initiator.doorbells.read(0x1008)
    await initiator.driver.deleteSubmissionQueue(1)
    await initiator.driver.deleteCompletionQueue(1)
    const again = await createQueue(initiator)
    const after = [initiator.doorbells.read(0x1008), initiator.doorbells.read(0x100c)]
    await again.flush(1)
    expect(before).toBe(1)
    expect(after).toEqual([0, 0])
  })

  it('reads back what it wrote at random, on several queues', async () => {
    const initiator = await enabled()
    const queues = [
      await createQueue(initiator, 1, 64),
      await createQueue(initiator, 2, 32),
      await createQueue(initiator, 3, 128)
    ]
    const { memory } = initiator
    const disk = new DiskVerifier({
      memory,
      nsid: 1,
      blockBytes: BLOCK_BYTES,
      blockCount: 4096,
      transferBlocksMax: 64,
      seed: 45
    })
    await disk.run(queues, { depth: 16, commands: 800 })
    await disk.check(queues[0]!)
    expect(initiator.driver.anomalies).toEqual([])
    expect(memory.areGuardsIntact).toBe(true)
  })

  it('moves 128 KiB by a PRP list that starts inside a page', async () => {
    const initiator = await enabled()
    const queue = await createQueue(initiator)
    const buffer = DataBuffer.scattered(initiator.memory, 128 * KIB)
    const bytes = buffer.fillPattern(128)
    await queue.write({ nsid: 1, slba: 64, blockCount: 256, buffer })
    expect(firstDifference(await queue.readBytes(1, 64, BLOCK_BYTES, 128 * KIB), bytes)).toBe(-1)
  })

  it('takes memory away with a DMA_UNMAP that carries a descriptor', async () => {
    const initiator = await enabled()
    const region = initiator.memory.add({ iova: POLLING_IOVA + 256 * MIB, byteLength: 64 * KIB })
    initiator.memory.reserve(region.iova, region.byteLength)
    await initiator.memory.map(initiator.connection, [region])
    await initiator.memory.unmap(initiator.connection, [region])
    const queue = await createQueue(initiator)
    const { status } = await queue.submit({ opcode: 2, nsid: 1, prp1: region.iova, cdw12: 0 })
    expect([status.sct, status.sc]).toEqual([0, 4])
  })

  it('may offer a file that is shorter than its region', async () => {
    const initiator = await enabled()
    const file = GuestFile.create(8 * KIB)
    const iova = POLLING_IOVA + 512 * MIB
    await initiator.connection.mapDma({ iova, byteLength: 64 * KIB, descriptor: file.descriptor })
    const queue = await createQueue(initiator)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 8))
    const inside = await queue.submit({ opcode: 2, nsid: 1, prp1: iova + 4 * KIB, cdw12: 0 })
    const outside = await queue.submit({ opcode: 2, nsid: 1, prp1: iova + 32 * KIB, cdw12: 0 })
    await queue.flush(1)
    expect(statusCode(inside)).toBe(NvmeStatusCode.SUCCESS)
    expect(Buffer.compare(file.bytes.slice(4 * KIB, 4 * KIB + BLOCK_BYTES), pattern(BLOCK_BYTES, 8))).toBe(0)
    expect(statusCode(outside)).toBe(NvmeStatusCode.DATA_TRANSFER_ERROR)
    await initiator.connection.unmapDma(iova, 64 * KIB)
    file.close()
  })

  it('shuts down, goes and is back at once, again and again', async () => {
    const { folder } = await servePolled()
    for (let round = 0; round < 20; round++) {
      const initiator = await PollingInitiator.attach(folder)
      await initiator.enable()
      const queue = await createQueue(initiator)
      const found = await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
      const expected = round === 0 ? new Uint8Array(BLOCK_BYTES) : pattern(BLOCK_BYTES, round - 1)
      expect(Buffer.compare(found, expected)).toBe(0)
      await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, round))
      await initiator.detach()
    }
  })

  it('is back at once when it was killed', async () => {
    const { folder } = await servePolled()
    const first = await attach(folder)
    await first.enable()
    await createQueue(first)
    first.drop()
    const second = await attach(folder)
    await second.enable()
    expect((await second.driver.admin.identifyController()).nn).toBeGreaterThan(0)
  })
})

describe('the compliance program of the polling initiator', () => {
  it('finds an Identify refused whose PRPs do not reach', async () => {
    const initiator = await enabled()
    const page = initiator.memory.allocate(PAGE)
    const identify = { opcode: AdminOpcode.IDENTIFY, cdw10: 1, prp1: page + 3 * KIB, prp2: 0 }
    expect(await statusOf(initiator, identify)).not.toBe(NvmeStatusCode.SUCCESS)
  })

  it.each([{ fuse: 1 }, { fuse: 2 }])('finds a fused admin command refused (FUSE $fuse)', async ({ fuse }) => {
    const initiator = await enabled()
    const prp1 = initiator.memory.allocate(PAGE)
    const identify = { opcode: AdminOpcode.IDENTIFY, cdw10: 1, flags: fuse, prp1 }
    expect(await statusOf(initiator, identify)).toBe(NvmeStatusCode.INVALID_FIELD)
  })

  it('finds an inactive namespace answered with zeroes', async () => {
    const initiator = await enabled()
    const { nn } = await initiator.driver.admin.identifyController()
    const command = { opcode: AdminOpcode.IDENTIFY, cdw10: 0, nsid: nn }
    const [completion, data] = await initiator.driver.admin.submitWithData(command, PAGE)
    const isActive = (await initiator.driver.admin.activeNamespaces()).includes(nn)
    expect(statusCode(completion)).toBe(NvmeStatusCode.SUCCESS)
    expect(isActive).toBe(false)
    expect(data.every(byte => byte === 0)).toBe(true)
  })

  it.each([0x01, 0x02, 0x04, 0x05, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0f, 0x16])(
    'finds Get Features 0x%s answered',
    async fid => {
      const initiator = await enabled()
      const command = { opcode: AdminOpcode.GET_FEATURES, cdw10: fid }
      const [completion] = await initiator.driver.admin.submitWithData(command, PAGE)
      expect(statusCode(completion)).toBe(NvmeStatusCode.SUCCESS)
    }
  )

  it.each([{ cdw11: 0xffff }, { cdw11: 0xffff_0000 }, { cdw11: 0xffff_ffff }])(
    'finds Number of Queues $cdw11 refused',
    async ({ cdw11 }) => {
      const initiator = await enabled()
      const command = { opcode: AdminOpcode.SET_FEATURES, cdw10: 7, cdw11 }
      expect(await statusOf(initiator, command)).toBe(NvmeStatusCode.INVALID_FIELD)
    }
  )

  it('finds Number of Queues out of sequence once an I/O queue exists', async () => {
    const initiator = await enabled()
    await createQueue(initiator)
    const command = { opcode: AdminOpcode.SET_FEATURES, cdw10: 7, cdw11: 0x3_0003 }
    expect(await statusOf(initiator, command)).toBe(NvmeStatusCode.COMMAND_SEQUENCE_ERROR)
  })

  it('finds a log offset past the end refused', async () => {
    const initiator = await enabled()
    const request = { lid: 2, byteLength: 512, offset: 4096 }
    const [completion] = await initiator.driver.admin.submitGetLogPage(request)
    expect(statusCode(completion)).toBe(NvmeStatusCode.INVALID_FIELD)
  })

  it('finds opcode 7Fh refused, on both kinds of queue', async () => {
    const initiator = await enabled()
    const queue = await createQueue(initiator)
    expect(await statusOf(initiator, { opcode: 0x7f })).toBe(NvmeStatusCode.INVALID_OPCODE)
    expect(statusCode(await queue.submit({ opcode: 0x7f, nsid: 1 }))).toBe(NvmeStatusCode.INVALID_OPCODE)
  })

  it('finds the queue with the number 0 not to be deleted', async () => {
    const { driver } = await enabled()
    expect(statusCode(await driver.admin.deleteSubmissionQueue(0))).toBe(NvmeStatusCode.INVALID_QUEUE_ID)
    expect(statusCode(await driver.admin.deleteCompletionQueue(0))).toBe(NvmeStatusCode.INVALID_QUEUE_ID)
  })

  it('finds a queue not to be deleted twice', async () => {
    const initiator = await enabled()
    await createQueue(initiator)
    await initiator.driver.deleteSubmissionQueue(1)
    const again = await initiator.driver.admin.deleteSubmissionQueue(1)
    expect(statusCode(again)).toBe(NvmeStatusCode.INVALID_QUEUE_ID)
  })

  it('finds numbers of queues refused that are in use or were not granted', async () => {
    const initiator = await enabled()
    await createQueue(initiator)
    const { admin } = initiator.driver
    const iova = initiator.memory.allocate(PAGE)
    const inUse = await admin.createCompletionQueue({ id: 1, iova, depth: 16 })
    const tooHigh = await admin.createCompletionQueue({ id: 9, iova, depth: 16 })
    const zero = await admin.createSubmissionQueue({ id: 0, iova, depth: 16, cqid: 1 })
    expect([inUse, tooHigh, zero].map(statusCode)).toEqual([0x101, 0x101, 0x101])
  })

  it('finds queue sizes refused that are too small or too large, and the largest granted', async () => {
    const initiator = await enabled()
    await createQueue(initiator)
    const { driver, memory } = initiator
    const depthMax = driver.capabilities.queueDepthMax
    const iova = memory.allocate(64 * (depthMax + 1))
    const create = (depth: number) => driver.admin.createSubmissionQueue({ id: 2, iova, depth, cqid: 1 })
    expect(statusCode(await create(1))).toBe(NvmeStatusCode.INVALID_QUEUE_SIZE)
    expect(statusCode(await create(depthMax + 1))).toBe(NvmeStatusCode.INVALID_QUEUE_SIZE)
    expect(statusCode(await create(depthMax))).toBe(NvmeStatusCode.SUCCESS)
  })

  it('finds an interrupt vector refused that does not exist', async () => {
    const { driver, memory } = await enabled()
    await driver.admin.setQueueCount(1)
    const iova = memory.allocate(PAGE)
    const completion = await driver.admin.createCompletionQueue({ id: 1, iova, depth: 16, vector: 4095 })
    expect(statusCode(completion)).toBe(NvmeStatusCode.INVALID_INTERRUPT_VECTOR)
  })

  it('finds a completion queue not to be deleted while it is used', async () => {
    const initiator = await enabled()
    await createQueue(initiator)
    const { admin } = initiator.driver
    expect(statusCode(await admin.deleteCompletionQueue(1))).toBe(NvmeStatusCode.INVALID_QUEUE_DELETION)
    expect(statusCode(await admin.deleteSubmissionQueue(1))).toBe(NvmeStatusCode.SUCCESS)
    expect(statusCode(await admin.deleteCompletionQueue(1))).toBe(NvmeStatusCode.SUCCESS)
  })

  it('finds a submission queue refused on a completion queue that is not there', async () => {
    const { driver, memory } = await enabled()
    await driver.admin.setQueueCount(4)
    const iova = memory.allocate(PAGE)
    const missing = await driver.admin.createSubmissionQueue({ id: 1, iova, depth: 16, cqid: 2 })
    expect(statusCode(missing)).toBe(NvmeStatusCode.INVALID_COMPLETION_QUEUE)
  })

  it('finds queues in pieces (PC = 0) refused, as CAP.CQR says', async () => {
    const { driver, memory } = await enabled()
    await driver.admin.setQueueCount(1)
    const iova = memory.allocate(PAGE)
    const completion = await driver.admin.createCompletionQueue({ id: 1, iova, depth: 16, contiguous: false })
    expect(driver.capabilities.contiguousQueuesRequired).toBe(true)
    expect(statusCode(completion)).toBe(NvmeStatusCode.INVALID_FIELD)
  })

  it('finds completion queues that several submission queues share', async () => {
    const initiator = await enabled()
    const { driver, memory } = initiator
    await driver.admin.setQueueCount(4)
    await driver.createCompletionQueue(1, 64)
    const queues = [
      await driver.createSubmissionQueue(1, 32, 1),
      await driver.createSubmissionQueue(2, 32, 1),
      await driver.createSubmissionQueue(3, 32, 1)
    ]
    const disk = new DiskVerifier({
      memory,
      nsid: 1,
      blockBytes: BLOCK_BYTES,
      blockCount: 1024,
      transferBlocksMax: 8,
      seed: 3
    })
    await disk.run(queues, { depth: 16, commands: 400 })
    await disk.check(queues[2]!)
    expect(driver.anomalies).toEqual([])
  })

  it('finds every queue that Number of Queues grants', async () => {
    const initiator = await enabled()
    const { driver } = initiator
    const { submission, completion } = await driver.admin.setQueueCount(128)
    for (let id = 1; id <= completion; id++) {
      const queue = await driver.createQueuePair({ id, depth: 16 })
      await queue.flush(1)
    }
    expect([submission, completion]).toEqual([64, 64])
    expect(driver.anomalies).toEqual([])
  })
})
