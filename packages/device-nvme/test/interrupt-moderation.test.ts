import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AdminOpcode, IoOpcode } from '../src/opcodes.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { DATA, Harness, nextTurn } from './fakes/harness.js'
import type { HarnessOptions, HostQueue } from './fakes/harness.js'

const COALESCING = 0x08
const VECTOR_CONFIGURATION = 0x09
const COALESCING_DISABLED = 1 << 16
const flush = { opcode: IoOpcode.FLUSH, nsid: 1 }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

async function start (options: HarnessOptions = {}) {
  const harness = new Harness({ moderatesInterrupts: true, ...options })
  const queue = await harness.start(64)
  harness.interrupts.triggered.length = 0
  return { harness, queue, interrupts: harness.interrupts.triggered }
}

async function turns (count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

/** The host gives out commands one by one, each of which ends before the next. */
async function give (queue: HostQueue, count: number, gapMs = 0.01): Promise<void> {
  for (let index = 0; index < count; index++) {
    queue.put(flush)
    queue.ring()
    await turns(3)
    vi.advanceTimersByTime(gapMs)
  }
}

/** The host's handler: it takes all there is, and tells so once. */
function takeAll (queue: HostQueue): number {
  let count = 0
  while (queue.take() !== undefined) count++
  queue.acknowledge()
  return count
}

/** Until the controller has seen the host take `count` together. */
async function teach (queue: HostQueue, count: number): Promise<void> {
  await give(queue, count)
  expect(takeAll(queue)).toBe(count)
  await turns()
}

async function setFeature (harness: Harness, fid: number, value: number): Promise<void> {
  const completion = await harness.admin.run({ opcode: AdminOpcode.SET_FEATURES, cdw10: fid, cdw11: value })
  expect(completion.status).toBe(0)
}

describe('a host that has one command at a time', () => {
  it('is interrupted for each, at once', async () => {
    const { queue, interrupts } = await start()
    for (let round = 1; round <= 5; round++) {
      await give(queue, 1)
      expect(interrupts).toHaveLength(round)
      takeAll(queue)
    }
  })
})

describe('a host that never has a second command', () => {
  it('is made to wait for it ever more seldom', async () => {
    const { queue, interrupts } = await start()
    let waits = 0
    for (let round = 1; round <= 300; round++) {
      await give(queue, 1)
      if (interrupts.length < round) {
        waits++
        vi.advanceTimersByTime(2)
        await turns()
      }
      expect(interrupts).toHaveLength(round)
      takeAll(queue)
    }
    expect(waits).toBeGreaterThan(0)
    expect(waits).toBeLessThan(8)
  })
})

describe('a host that was interrupted', () => {
  it('is not interrupted again before it took something', async () => {
    const { queue, interrupts } = await start()
    await give(queue, 8)
    expect(interrupts).toHaveLength(1)
  })

  it('is, when it took only a part', async () => {
    const { queue, interrupts } = await start()
    await give(queue, 3)
    queue.take()
    queue.acknowledge()
    await turns()
    expect(interrupts).toHaveLength(2)
  })

  it('is, when it took nothing for long', async () => {
    const { queue, interrupts } = await start()
    await give(queue, 2)
    expect(interrupts).toHaveLength(1)
    vi.advanceTimersByTime(5)
    await turns()
    expect(interrupts).toHaveLength(2)
  })

  it('is not, when it took what was held as well', async () => {
    const { queue, interrupts } = await start()
    await give(queue, 3)
    takeAll(queue)
    vi.advanceTimersByTime(5)
    await turns()
    expect(interrupts).toHaveLength(1)
  })
})

describe('a host that gives out commands in bunches', () => {
  it('is interrupted when the bunch is done', async () => {
    const { queue, interrupts } = await start()
    await teach(queue, 4)
    await give(queue, 3)
    expect(interrupts).toHaveLength(1)
    await give(queue, 1)
    expect(interrupts).toHaveLength(2)
  })

  it('is interrupted when it pauses before', async () => {
    const { queue, interrupts } = await start()
    await teach(queue, 4)
    await give(queue, 2)
    expect(interrupts).toHaveLength(1)
    vi.advanceTimersByTime(1)
    await turns()
    expect(interrupts).toHaveLength(2)
    expect(takeAll(queue)).toBe(2)
    await give(queue, 2)
    expect(interrupts).toHaveLength(3)
  })

  it('is found out, though it takes each completion at once', async () => {
    const { queue, interrupts } = await start()
    let taken = 0
    for (let round = 0; round < 300; round++) {
      await give(queue, 1)
      if (interrupts.length > taken) takeAll(queue)
      taken = interrupts.length
    }
    expect(interrupts.length).toBeLessThan(150)
  })

  /** Has one command end while another one is under way. Returns what lets that end. */
  async function endOneOfTwo (harness: Harness, queue: HostQueue): Promise<() => void> {
    const read = { opcode: IoOpcode.READ, nsid: 1, prp1: DATA, cdw12: 0 }
    let open = (): void => undefined
    harness.backends[0]!.gate = new Promise<void>(resolve => {
      open = resolve
    })
    queue.put(read)
    queue.ring()
    await turns()
    queue.put({ ...flush, opcode: 0x7f })
    queue.ring()
    await turns()
    return open
  }

  it('is interrupted after a tenth of a millisecond at most while a back end works', async () => {
    const { harness, queue, interrupts } = await start({ backends: [new FakeBackend({ isAsync: true })] })
    await teach(queue, 4)
    const end = await endOneOfTwo(harness, queue)
    expect(interrupts).toHaveLength(1)
    vi.advanceTimersByTime(0.11)
    await turns()
    expect(interrupts).toHaveLength(2)
    end()
  })

  it('is interrupted at once while a back end works that has shown to take longer', async () => {
    const { harness, queue, interrupts } = await start({ backends: [new FakeBackend({ isAsync: true })] })
    for (let round = 0; round < 4; round++) {
      await teach(queue, 4)
      vi.advanceTimersByTime(1)
    }
    const before = interrupts.length
    const end = await endOneOfTwo(harness, queue)
    expect(interrupts).toHaveLength(before + 1)
    end()
  })
})

describe('the admin queue', () => {
  it('interrupts for each completion', async () => {
    const { harness, interrupts } = await start()
    for (let round = 1; round <= 3; round++) {
      harness.admin.put({ opcode: AdminOpcode.KEEP_ALIVE })
      harness.admin.ring()
      await turns()
      expect(interrupts).toHaveLength(round)
    }
  })
})

describe('Interrupt Coalescing', () => {
  it('goes before everything else', async () => {
    const { harness, queue, interrupts } = await start()
    await setFeature(harness, COALESCING, 10 << 8 | 3)
    interrupts.length = 0
    await give(queue, 3)
    expect(interrupts).toHaveLength(0)
    await give(queue, 1)
    expect(interrupts).toHaveLength(1)
  })

  it('waits no longer than its time', async () => {
    const { harness, queue, interrupts } = await start({ moderatesInterrupts: false })
    await setFeature(harness, COALESCING, 10 << 8 | 3)
    interrupts.length = 0
    await give(queue, 1)
    expect(interrupts).toHaveLength(0)
    vi.advanceTimersByTime(1)
    await turns()
    expect(interrupts).toHaveLength(1)
  })

  it('waits no longer than its time while more and more completions come', async () => {
    const { harness, queue, interrupts } = await start()
    await setFeature(harness, COALESCING, 10 << 8 | 200)
    interrupts.length = 0
    await give(queue, 15, 0.1)
    expect(interrupts).toHaveLength(1)
  })

  it('is switched off for a vector, and moderation with it', async () => {
    const { harness, queue, interrupts } = await start()
    await setFeature(harness, COALESCING, 10 << 8 | 3)
    await setFeature(harness, VECTOR_CONFIGURATION, COALESCING_DISABLED | queue.id)
    interrupts.length = 0
    await give(queue, 3)
    expect(interrupts).toHaveLength(3)
  })
})

describe('without moderation', () => {
  it('each run of completions interrupts', async () => {
    const { queue, interrupts } = await start({ moderatesInterrupts: false })
    await give(queue, 3)
    expect(interrupts).toHaveLength(3)
  })
})
