import { describe, expect, it } from 'vitest'
import { AdminOpcode, IoOpcode } from '../src/opcodes.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { ADMIN_CQ, ADMIN_SQ, DATA, Harness, nextTurn } from './fakes/harness.js'

const CAP = 0x00
const VS = 0x08
const CC = 0x14
const CSTS = 0x1c
const NSSR = 0x20
const AQA = 0x24
const ASQ = 0x28
const RDY = 1
const CFS = 2
const SHST_COMPLETE = 2 << 2
const ENABLE = 0x0046_0001

async function settled (harness: Harness): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  void harness
}

describe('NvmeController', () => {
  describe('registers', () => {
    it('offers 1024 contiguous entries, NVM commands, pages of 4 to 64 KiB, and a stride of 4 bytes in CAP', () => {
      const harness = new Harness()
      expect(harness.read32(CAP) & 0xffff).toBe(1023)
      expect((harness.read32(CAP) >>> 16) & 1).toBe(1)
      expect(harness.read32(CAP) >>> 24).toBeGreaterThan(0)
      expect(harness.read32(CAP + 4)).toBe(0x0040_0020)
    })

    it('is of version 1.4', () => {
      expect(new Harness().read32(VS)).toBe(0x0001_0400)
    })

    it('ignores writes to read-only registers and to NSSR, which CAP does not offer', () => {
      const harness = new Harness()
      harness.write32(CAP, 0)
      harness.write32(CSTS, 0xffff_ffff)
      harness.write32(NSSR, 0x4e56_4d65)
      expect([harness.read32(CAP) & 0xffff, harness.read32(CSTS), harness.read32(NSSR)]).toEqual([1023, 0, 0])
    })

    it('keeps the writable bits of AQA and ASQ', () => {
      const harness = new Harness()
      harness.write32(AQA, 0xffff_ffff)
      harness.write32(ASQ, 0xffff_ffff)
      expect([harness.read32(AQA), harness.read32(ASQ)]).toEqual([0x0fff_0fff, 0xffff_f000])
    })

    it('reads INTMS and INTMC as the mask that both change', () => {
      const harness = new Harness()
      harness.write32(0x0c, 0b1110)
      harness.write32(0x10, 0b0100)
      harness.write32(0x0c, 0b0001)
      expect([harness.read32(0x0c), harness.read32(0x10)]).toEqual([0b1011, 0b1011])
    })

    it('reads zero where there is nothing', () => {
      const harness = new Harness()
      expect([harness.read32(0x38), harness.read32(0x100), harness.read32(0x3ffc)]).toEqual([0, 0, 0])
    })
  })

  describe('enabling', () => {
    it('sets CSTS.RDY', async () => {
      const harness = new Harness()
      await harness.enable()
      expect(harness.read32(CSTS)).toBe(RDY)
    })

    it.each([
      ['a command set that is not offered', { cc: ENABLE | 6 << 4 }],
      ['a page size above MPSMAX', { cc: ENABLE | 5 << 7 }],
      ['an arbitration that is not offered', { cc: ENABLE | 1 << 11 }],
      ['an admin submission queue of one entry', { aqa: 31 << 16 }],
      ['an admin completion queue of one entry', { aqa: 31 }],
      ['queues not aligned to the page size', { cc: ENABLE | 1 << 7, asq: ADMIN_SQ + 0x1000 }]
    ])('reports a fatal status for %s', async (_what, configuration) => {
      const harness = new Harness()
      await harness.enable(configuration)
      expect(harness.read32(CSTS)).toBe(CFS)
    })

    it('recovers from a bad configuration by CC.EN=0', async () => {
      const harness = new Harness()
      await harness.enable({ aqa: 0 })
      await harness.disable()
      await settled(harness)
      expect(harness.read32(CSTS)).toBe(0)
      await harness.enable()
      expect(harness.read32(CSTS)).toBe(RDY)
    })

    it('takes admin queues of 4096 entries', async () => {
      const harness = new Harness()
      await harness.enable({ aqa: 0x0fff_0fff })
      expect(harness.read32(CSTS)).toBe(RDY)
    })

    it('works with pages of 64 KiB', async () => {
      const harness = new Harness()
      await harness.enable({ cc: ENABLE | 4 << 7 })
      const completion = await harness.admin.run({ opcode: AdminOpcode.IDENTIFY, prp1: DATA + 0x8000, cdw10: 1 })
      expect(completion.status).toBe(0)
    })
  })

  describe('CC.EN=0', () => {
    it('drops CSTS.RDY, forgets the I/O queues, and keeps the admin queue registers', async () => {
      const harness = new Harness()
      await harness.start()
      await harness.disable()
      expect(harness.read32(CSTS)).toBe(0)
      expect([harness.read32(ASQ), harness.read32(0x30), harness.read32(AQA)]).toEqual([ADMIN_SQ, ADMIN_CQ, 0x1f_001f])
      await harness.enable()
      expect((await harness.createSubmissionQueue(1, 0x30000, 8)).status).toBe(0x100)
    })

    it('keeps CSTS.RDY until the transfers in flight have ended, and tells nothing of them', async () => {
      const backend = new FakeBackend()
      const harness = new Harness({ backends: [backend] })
      const queue = await harness.start()
      let open: () => void = () => undefined
      backend.gate = new Promise(resolve => {
        open = resolve
      })
      queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })
      queue.ring()
      await settled(harness)
      harness.write32(CC, ENABLE & ~1)
      await settled(harness)
      expect(harness.read32(CSTS)).toBe(RDY)
      open()
      await settled(harness)
      expect([harness.read32(CSTS), queue.peek(), harness.dma.openLeases]).toEqual([0, undefined, 0])
    })

    it('ends parked event requests without a word', async () => {
      const harness = new Harness()
      await harness.enable()
      harness.admin.put({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST })
      harness.admin.ring()
      await settled(harness)
      await harness.disable()
      await harness.enable()
      expect((await harness.admin.run({ opcode: AdminOpcode.KEEP_ALIVE })).status).toBe(0)
    })
  })

  describe('shutdown', () => {
    it('flushes what is in flight and everything written, then reports completion', async () => {
      const backend = new FakeBackend({ isAsync: true })
      const harness = new Harness({ backends: [backend] })
      const queue = await harness.start()
      queue.put({ opcode: IoOpcode.WRITE, nsid: 1, prp1: DATA })
      queue.ring()
      await nextTurn()
      harness.write32(CC, ENABLE | 1 << 14)
      expect(harness.read32(CSTS)).toBe(RDY | 1 << 2)
      for (let turn = 0; turn < 20; turn++) await nextTurn()
      expect(harness.read32(CSTS)).toBe(RDY | SHST_COMPLETE)
      expect(backend.calls).toEqual(['write 0 1', 'flush'])
    })

    it('ends with CC.EN=0', async () => {
      const harness = new Harness()
      await harness.enable()
      harness.write32(CC, ENABLE | 2 << 14)
      await settled(harness)
      await harness.disable()
      expect(harness.read32(CSTS)).toBe(0)
    })

    it('completes also when the flush fails', async () => {
      const backend = new FakeBackend()
      const harness = new Harness({ backends: [backend] })
      await harness.enable()
      backend.failure = new Error('disk on fire')
      harness.write32(CC, ENABLE | 1 << 14)
      await settled(harness)
      expect(harness.read32(CSTS)).toBe(RDY | SHST_COMPLETE)
    })
  })

  describe('reset', () => {
    it('puts every register in its state of power-on', async () => {
      const harness = new Harness()
      await harness.start()
      harness.write32(0x0c, 1)
      await harness.controller.reset()
      expect([CC, CSTS, AQA, ASQ, 0x30, 0x0c].map(offset => harness.read32(offset))).toEqual([0, 0, 0, 0, 0, 0])
    })

    it('resolves only when no transfer is left', async () => {
      const backend = new FakeBackend({ isAsync: true })
      const harness = new Harness({ backends: [backend] })
      const queue = await harness.start()
      for (let index = 0; index < 10; index++) queue.put({ opcode: IoOpcode.READ, nsid: 1, prp1: DATA })
      queue.ring()
      await nextTurn()
      await harness.controller.reset()
      expect(harness.dma.openLeases).toBe(0)
    })
  })

  it('forgets host settings with a reset', async () => {
    const harness = new Harness()
    await harness.enable()
    await harness.admin.run({ opcode: AdminOpcode.SET_FEATURES, cdw10: 0x01, cdw11: 0x0202_0203 })
    await harness.disable()
    await harness.enable()
    expect((await harness.admin.run({ opcode: AdminOpcode.GET_FEATURES, cdw10: 0x01 })).result).toBe(7)
  })

  it('flushes when it closes', async () => {
    const harness = new Harness()
    await harness.start()
    await harness.controller.close()
    expect(harness.backends[0]!.calls).toEqual(['flush'])
  })
})
