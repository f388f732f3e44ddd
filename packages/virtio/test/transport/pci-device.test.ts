import { AssertionError, isPcikitError } from '@pcikit/core'
import { describe, expect, it, vi } from 'vitest'
import type { VirtioDescription } from '../../src/index.js'
import { CLOSE_STEP_MS } from '../../src/transport/device-state.js'
import { Harness, NOTIFY, Status } from './harness.js'

const chain = {} as never

describe('a description', () => {
  const memory = { descriptor: 7, fileOffset: 0, areas: [] }
  const region = { id: 0, byteLength: 0x1000, memory }
  it.each<[string, Partial<VirtioDescription>, string]>([
    ['a device type of 0', { deviceType: 0 }, 'There is no device type 0'],
    ['a device type of 64', { deviceType: 64 }, 'There is no device type 64'],
    ['a queue without entries', { queues: [{ entriesMax: 0 }] }, 'Queue 0 has 0 entries'],
    ['a queue of 100', { queues: [{ entriesMax: 8 }, { entriesMax: 100 }] }, 'Queue 1 has 100 entries'],
    ['a queue of 65536', { queues: [{ entriesMax: 65536 }] }, 'Queue 0 has 65536 entries'],
    ['65536 queues', { queues: new Array(65536).fill({ entriesMax: 1 }) }, 'cannot have 65536 queues'],
    ['a reserved feature', { features: [29] }, 'Feature bit 29 does not belong to device types'],
    ['a feature that there is not', { features: [128] }, 'Feature bit 128 does not'],
    ['no VERSION_1', { withoutFeatures: [32] }, 'VERSION_1 is among'],
    ['an empty configuration', { config: { view: new DataView(new ArrayBuffer(0)) } }, 'has 0 bytes'],
    ['a huge configuration', { config: { view: new DataView(new ArrayBuffer(4097)) } }, 'has 4097 bytes'],
    ['two shared regions', { sharedMemory: [region, { ...region, id: 1 }] }, 'There are 2 shared memory regions'],
    ['a shared region 256', { sharedMemory: [{ ...region, id: 256 }] }, 'has the ID 256'],
    ['a shared region of 100 bytes', { sharedMemory: [{ ...region, byteLength: 100 }] }, 'region 0 has 100 bytes']
  ])('of %s is refused', (_name, description, message) => {
    const thrown = thrownBy(() => new Harness(description))
    expect(isPcikitError(thrown, 'PCIKIT_VIRTIO_DESCRIPTION_INVALID')).toBe(true)
    expect(String(thrown)).toContain(message)
  })

  it('of what PCI has no room for is refused', () => {
    expect(isPcikitError(thrownBy(() => new Harness({ msixVectors: 2049 })), 'PCIKIT_PCI_LAYOUT_INVALID')).toBe(true)
  })

  it('may be of no queue at all', () => {
    const harness = new Harness({ queues: [] })
    harness.negotiate()
    void harness.setStatus(15)
    void harness.write(NOTIFY, 2, 0)
    expect(harness.engine.calls).toEqual(['start'])
  })

  it('says how the queues work', () => {
    const described = new Harness({ faultPolicy: 'fatal', graceMs: 5, times: { watchUs: 7 } })
    expect(described.engine.surroundings).toMatchObject({
      queues: [{ entriesMax: 256 }, { entriesMax: 64 }],
      faultPolicy: 'fatal',
      graceMs: 5,
      times: { doorbells: 'trap', watchUs: 7, pollSocketUs: 500 }
    })
    expect(new Harness().engine.surroundings).toMatchObject({ faultPolicy: 'fault', graceMs: 2000 })
  })
})

describe('a model', () => {
  it('gets the chains', () => {
    const taken: unknown[] = []
    const harness = new Harness({}, { take: each => taken.push(each) })
    harness.start()
    harness.engine.events.take(chain)
    expect(taken).toEqual([chain])
  })

  it('that throws over a chain makes the device need a reset', () => {
    const harness = new Harness({}, {
      take: () => {
        throw new Error('broken')
      }
    })
    harness.start()
    harness.engine.events.take(chain)
    expect(harness.status).toBe(15 | Status.NEEDS_RESET)
    expect(harness.log).toEqual(['error: the device needs a reset: take() threw'])
  })

  it('whose assertion fails is told apart', () => {
    const harness = new Harness({}, {
      take: () => {
        throw new AssertionError('cannot be')
      }
    })
    harness.start()
    harness.engine.events.take(chain)
    expect(harness.log).toEqual(['error: the device needs a reset: an assertion of ours failed (take() threw)'])
  })

  it('is polled, where it wants that', () => {
    let hasWork = true
    const polling = new Harness({}, { poll: () => hasWork })
    expect(polling.engine.events.poll(false)).toBe(true)
    hasWork = false
    expect(polling.engine.events.poll(false)).toBe(false)
    expect(new Harness().engine.events.poll(false)).toBe(false)
  })

  it('that throws when it is polled makes the device need a reset', () => {
    const harness = new Harness({}, {
      poll: () => {
        throw new Error('broken')
      }
    })
    harness.start()
    expect(harness.engine.events.poll(false)).toBe(false)
    expect(harness.status & Status.NEEDS_RESET).toBe(Status.NEEDS_RESET)
  })
})

describe('a device', () => {
  it('keeps its registers when the client goes', () => {
    const harness = new Harness()
    harness.start()
    harness.device.clientGone()
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'suspend'])
    expect(harness.status).toBe(15)
    void harness.write(NOTIFY, 2, 0)
    expect(harness.engine.calls.at(-1)).toBe('notify 0')
  })

  it('has interrupts of its own to use', () => {
    const harness = new Harness()
    const triggers = harness.enableMsix(3)
    harness.device.interrupts.trigger(2)
    expect(triggers[2]?.count).toBe(1)
    expect(harness.isBusMaster).toBe(true)
  })

  it('stops its queues and its model when it is closed, and waits for the chains', async () => {
    const order: string[] = []
    const harness: Harness = new Harness({}, { reset: () => void order.push(...harness.engine.calls, 'model') })
    let finish = (): void => undefined
    harness.engine.idle = new Promise(resolve => (finish = resolve))
    harness.start()
    const closed = harness.device.close().then(() => order.push('closed'))
    await new Promise(resolve => setImmediate(resolve))
    expect(order).toEqual(['enable 0', 'start', 'halt', 'reset', 'model'])
    finish()
    await closed
    expect(harness.log).toEqual(['drain'])
    expect(harness.engine.calls.at(-1)).toBe('close')
  })

  it('gives up chains that never end when it is closed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const harness = new Harness()
    harness.engine.idle = new Promise(() => undefined)
    harness.start()
    const closed = harness.device.close()
    await vi.advanceTimersByTimeAsync(CLOSE_STEP_MS + 1)
    await closed
    vi.useRealTimers()
    expect(harness.log.at(-1)).toContain('stuck with buffers')
    expect(harness.engine.calls.at(-1)).toBe('close')
  })

  it('does nothing once it is closed', async () => {
    const harness = new Harness()
    harness.start()
    await harness.device.close()
    const calls = [...harness.engine.calls]
    await harness.device.close()
    await harness.setStatus(0)
    harness.negotiate()
    harness.enableQueue(1)
    void harness.write(NOTIFY, 2, 0)
    harness.device.clientGone()
    harness.device.fail('nobody hears it')
    await harness.device.function.reset()
    expect(harness.engine.calls).toEqual(calls)
  })
})

function thrownBy (call: () => unknown): unknown {
  try {
    call()
    return undefined
  } catch (error) {
    return error
  }
}
