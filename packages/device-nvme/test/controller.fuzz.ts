import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FakeBackend } from './fakes/fake-backend.js'
import { DATA, Harness, HostQueue, IO_CQ, IO_SQ, nextTurn } from './fakes/harness.js'
import type { CommandFields, CompletionFields } from './fakes/harness.js'

const seed = process.env.SEED === undefined ? Date.now() & 0x7fff_ffff : Number(process.env.SEED)
const budget = { seed, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 10_000), numRuns: 100_000 }

const address = fc.oneof(
  fc.constantFrom(0, DATA, DATA + 0x200, DATA + 0x1000, DATA + 0xff8, 0x3f_f000, 0x40_0000, 2 ** 52, 2 ** 63),
  // Above the rings: commands that overwrite their own queues are not what is looked at.
  fc.integer({ min: 0x5_0000, max: 0x41_0000 })
)
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 7, 0xff, 0xffff, 0x1_0000, 0x1_0001, 0x7fff_ffff, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff })
)
const command = fc.record({
  opcode: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x18, 0x7c) }, fc.nat(255)),
  flags: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(255)),
  nsid: fc.oneof(fc.constantFrom(0, 1, 2, 32, 33, 0xffff_ffff), word),
  prp1: address,
  prp2: address,
  cdw10: word,
  cdw11: word,
  cdw12: word,
  cdw13: word
})
const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('admin' as const), commands: fc.array(command, { maxLength: 6 }) })
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('io' as const), commands: fc.array(command, { maxLength: 6 }) })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('reap' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('register' as const), offset: fc.nat(0x3f), value: word }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('doorbell' as const), number: fc.nat(200), value: word }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('buffers' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('shadow' as const), number: fc.nat(9), value: word }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remap' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const) }) }
)

/** Takes every completion there is, and checks that each is one that is due. */
function reap (queue: HostQueue, due: Map<number, number>): void {
  for (let found: CompletionFields | undefined = queue.take(); found !== undefined; found = queue.take()) {
    const count = due.get(found.cid)
    expect(count, `command ${found.cid} of queue ${queue.id} is completed once`).toBe(1)
    due.delete(found.cid)
  }
  queue.acknowledge()
}

/** Submits as many of the commands as have room. */
function submit (queue: HostQueue, due: Map<number, number>, commands: readonly CommandFields[]): void {
  for (const fields of commands) {
    if (due.size >= queue.size - 1) break
    const cid = queue.nextCid++ & 0xffff
    queue.put({ ...fields, cid })
    due.set(cid, 1)
  }
  queue.ring()
}

describe('a controller that is treated badly', () => {
  it.each([['at once', false], ['later', true]])(
    `completes each command once and overruns nothing; the back end answers %s; SEED=${seed}`,
    async (_when, isAsync) => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 40 }), fc.boolean(), async (commands, isShared) => {
          const harness = new Harness({ backends: [new FakeBackend({ isAsync })], isShared })
          const queue = await harness.start(8)
          const due = new Map<number, number>()
          for (const fields of commands) {
            submit(queue, due, [fields])
            if (due.size === 7) {
              await nextTurn()
              reap(queue, due)
            }
          }
          for (let turn = 0; turn < 2000 && due.size > 0; turn++) {
            await nextTurn()
            reap(queue, due)
          }
          expect(due.size, 'every command ends').toBe(0)
          expect(harness.dma.openLeases).toBe(0)
          await harness.controller.close()
        }),
        budget
      )
    }
  )

  it(`never throws, whatever the host does; SEED=${seed}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), fc.boolean(), async (actions, isShared) => {
        const backend = new FakeBackend({ isAsync: true })
        const harness = new Harness({ backends: [backend], isShared, graceMs: 3_600_000 })
        const queue = await harness.start(8)
        for (const step of actions) {
          if (step.do === 'admin' || step.do === 'io') {
            const target = step.do === 'io' ? queue : harness.admin
            for (const fields of step.commands) target.put(fields)
            target.ring()
          } else if (step.do === 'reap') {
            while (queue.take() !== undefined);
            queue.acknowledge()
          } else if (step.do === 'register') harness.write32(step.offset & ~3, step.value)
          else if (step.do === 'doorbell') harness.writeDoorbell(step.number, step.value)
          else if (step.do === 'shadow') harness.view.setUint32(DATA + step.number * 4, step.value, true)
          else if (step.do === 'buffers') {
            harness.admin.put({ opcode: 0x7c, prp1: DATA, prp2: DATA + 0x1000 })
            harness.admin.ring()
          } else if (step.do === 'remap') harness.dma.map(0, 0, { memory: harness.dma.unmap(0), isShared })
          else if (step.do === 'reset') await harness.controller.reset()
          else await nextTurn()
        }
        await harness.controller.reset()
        for (let turn = 0; turn < 200 && (harness.dma.openLeases > 0); turn++) await nextTurn()
        await harness.enable()
        for (let turn = 0; turn < 200 && (harness.read32(0x1c) & 1) === 0; turn++) await nextTurn()
        expect(harness.read32(0x1c), 'the controller can be enabled again').toBe(1)
        await harness.controller.close()
        expect(harness.dma.openLeases).toBe(0)
      }),
      budget
    )
  })
})

describe('completion queues', () => {
  it(`are not written beyond what the host consumed; SEED=${seed}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }),
        fc.array(fc.record({ submit: fc.nat(6), reap: fc.boolean() }), { maxLength: 30 }),
        fc.boolean(),
        async (size, steps, isShared) => {
          const harness = new Harness({ isShared })
          await harness.enable()
          await harness.createCompletionQueue(1, IO_CQ, size)
          await harness.createSubmissionQueue(1, IO_SQ, 16)
          const queue = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size: 16 })
          const host = new HostQueue(harness, 1, { sq: IO_SQ, cq: IO_CQ, size })
          let written = 0
          harness.dma.onWrite = (iova, length) => {
            if (iova >= IO_CQ && iova < IO_CQ + size * 16) written += length / 16
          }
          const due = new Map<number, number>()
          let reaped = 0
          for (const step of steps) {
            submit(queue, due, Array.from({ length: step.submit }, () => ({ opcode: 0, nsid: 1 })))
            await nextTurn()
            await nextTurn()
            expect(written - reaped).toBeLessThan(size)
            if (!step.reap) continue
            const before = due.size
            reap(host, due)
            reaped += before - due.size
          }
          for (let turn = 0; turn < 2000 && due.size > 0; turn++) {
            reap(host, due)
            await nextTurn()
          }
          expect(due.size).toBe(0)
          await harness.controller.close()
        }
      ),
      budget
    )
  })
})
