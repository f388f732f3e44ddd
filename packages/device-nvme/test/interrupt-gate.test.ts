import { beforeEach, describe, expect, it } from 'vitest'
import { IoOpcode } from '../src/opcodes.js'
import { Harness, IO_CQ, IO_SQ, nextTurn } from './fakes/harness.js'
import type { HostQueue } from './fakes/harness.js'

const INTMS = 0x0c
const INTMC = 0x10

let harness: Harness
let queue: HostQueue

beforeEach(async () => {
  harness = new Harness()
  queue = await harness.start()
  harness.interrupts.triggered.length = 0
})

async function flush (): Promise<void> {
  queue.put({ opcode: IoOpcode.FLUSH, nsid: 1 })
  queue.ring()
  for (let turn = 0; turn < 4; turn++) await nextTurn()
  queue.take()
}

describe('MSI-X', () => {
  it('has a vector for each queue, and is not masked by INTMS', async () => {
    harness.write32(INTMS, 0xffff_ffff)
    await flush()
    expect(harness.interrupts.triggered).toEqual([1])
  })

  it('is silent for a queue that was created without interrupts', async () => {
    await harness.admin.run({ opcode: 0x05, prp1: IO_CQ + 0x1000, cdw10: 7 << 16 | 2, cdw11: 1 })
    await harness.createSubmissionQueue(3, IO_SQ + 0x1000, 8, 2)
    harness.interrupts.triggered.length = 0
    harness.bytes[IO_SQ + 0x1000] = IoOpcode.FLUSH
    harness.writeDoorbell(6, 1)
    for (let turn = 0; turn < 4; turn++) await nextTurn()
    expect(harness.bytes[IO_CQ + 0x1000 + 14]! & 1).toBe(1)
    expect(harness.interrupts.triggered).toEqual([])
  })
})

describe('MSI', () => {
  beforeEach(() => {
    harness.interrupts.mode = 'msi'
    harness.interrupts.vectorCount = 4
  })

  it('waits while its vector is masked, and is sent when the mask is lifted', async () => {
    harness.write32(INTMS, 1 << 1)
    await flush()
    expect(harness.interrupts.triggered).toEqual([])
    harness.write32(INTMC, 1 << 1)
    expect(harness.interrupts.triggered).toEqual([1])
  })

  it('is not sent for what the host consumed while it was masked', async () => {
    harness.write32(INTMS, 1 << 1)
    await flush()
    queue.acknowledge()
    harness.write32(INTMC, 1 << 1)
    expect(harness.interrupts.triggered).toEqual([])
  })

  it('falls back to vector 0 where the host allotted fewer', async () => {
    harness.interrupts.vectorCount = 1
    await flush()
    expect(harness.interrupts.triggered).toEqual([0])
  })
})

describe('INTx', () => {
  beforeEach(() => {
    harness.interrupts.mode = 'intx'
  })

  it('is asserted while there are completions that the host has not consumed', async () => {
    await flush()
    expect(harness.interrupts.isAsserted).toBe(true)
    await flush()
    queue.acknowledge()
    expect(harness.interrupts.isAsserted).toBe(false)
  })

  it('is masked by bit 0 of INTMS', async () => {
    harness.write32(INTMS, 1)
    await flush()
    expect(harness.interrupts.isAsserted).toBe(false)
    harness.write32(INTMC, 1)
    expect(harness.interrupts.isAsserted).toBe(true)
    harness.write32(INTMS, 1)
    expect(harness.interrupts.isAsserted).toBe(false)
  })

  it('is lowered by a reset', async () => {
    await flush()
    await harness.disable()
    expect(harness.interrupts.isAsserted).toBe(false)
  })

  it('is lowered when the queue is deleted', async () => {
    await flush()
    await harness.admin.run({ opcode: 0x00, cdw10: 1 })
    await harness.admin.run({ opcode: 0x04, cdw10: 1 })
    expect(harness.interrupts.isAsserted).toBe(false)
  })
})
