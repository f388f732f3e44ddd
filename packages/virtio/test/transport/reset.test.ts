import { RegionIndex } from '@pcikit/core'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Common, Harness, High, ISR, settle, Status } from './harness.js'

const DEVICE_CONTROL = 8
const FLR = 0x8000

/** Whether work has ended once everything that can run has run. */
async function hasEnded (work: void | Promise<void>): Promise<boolean> {
  let ended = work === undefined
  void work?.then(() => {
    ended = true
  })
  await settle()
  return ended
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a reset by device_status', () => {
  it('stops the queues, resets the model, drains, and then reads 0', async () => {
    const order: string[] = []
    const harness: Harness = new Harness({}, {
      reset: () => {
        order.push(...harness.engine.calls, 'model', `status ${harness.status}`)
      }
    })
    harness.holdsDrain = true
    harness.start()
    const done = harness.setStatus(0)
    expect(order).toEqual(['enable 0', 'start', 'reset', 'model', 'status 15'])
    expect(await hasEnded(done)).toBe(false)
    expect(harness.log).toEqual(['drain'])
    expect(harness.status).toBe(15)
    harness.finishDrain()
    expect(await hasEnded(done)).toBe(true)
    expect(harness.status).toBe(0)
  })

  it('waits for the model', async () => {
    let finish = (): void => undefined
    const harness = new Harness({}, { reset: () => new Promise(resolve => (finish = resolve)) })
    harness.start()
    const done = harness.setStatus(0)
    await settle()
    expect(harness.status).toBe(15)
    finish()
    expect(await hasEnded(done)).toBe(true)
    expect(harness.status).toBe(0)
  })

  it('gives every register the value of power-on', async () => {
    const harness = new Harness()
    const snapshot = () => Array.from({ length: 16 }, (_, index) => harness.read(index * 4, 4))
    const atPowerOn = snapshot()
    harness.accept(0, 1 << 29)
    void harness.write(Common.CONFIG_MSIX_VECTOR, 2, 0)
    harness.start(1 << 29, High.VERSION_1 | High.RING_PACKED)
    harness.select(1)
    void harness.write(Common.QUEUE_SIZE, 2, 4)
    void harness.write(Common.QUEUE_MSIX_VECTOR, 2, 2)
    await harness.setStatus(0)
    expect(snapshot()).toEqual(atPowerOn)
    harness.select(1)
    expect([harness.read(Common.QUEUE_SIZE, 2), harness.read(Common.QUEUE_MSIX_VECTOR, 2)]).toEqual([64, 0xffff])
  })

  it('takes back what interrupted', async () => {
    const harness = new Harness()
    const pin = harness.enableIntx()
    harness.start()
    harness.engine.events.interrupt(0)
    expect(pin.count).toBe(1)
    await harness.setStatus(0)
    expect(harness.read(ISR, 1)).toBe(0)
    harness.device.function.interrupts.unmask(0, 0, 1)
    expect(pin.count).toBe(1)
  })

  it('is over at once where no driver was', () => {
    const harness = new Harness()
    void harness.write(Common.QUEUE_SIZE, 2, 4)
    expect(harness.setStatus(0)).toBeUndefined()
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(256)
    expect(harness.engine.calls).toEqual([])
    expect(harness.log).toEqual([])
  })

  it('is done once, however often it is asked for', async () => {
    let resets = 0
    const harness = new Harness({}, { reset: () => void resets++ })
    harness.holdsDrain = true
    harness.start()
    const first = harness.setStatus(0)
    const second = harness.setStatus(0)
    await settle()
    harness.finishDrain()
    await first
    await second
    expect(resets).toBe(1)
    expect(harness.status).toBe(0)
  })

  it('takes nothing from the driver meanwhile', async () => {
    const harness = new Harness()
    harness.holdsDrain = true
    harness.start()
    const done = harness.setStatus(0)
    harness.negotiate()
    harness.enableQueue(1)
    void harness.write(0x3000, 2, 0)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    harness.device.configChanged()
    harness.device.fail('nobody hears it')
    harness.finishDrain()
    await done
    expect(harness.status).toBe(0)
    expect(harness.read(ISR, 1)).toBe(0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'reset'])
  })

  it('ends NEEDS_RESET, and the device works again', async () => {
    const harness = new Harness()
    harness.start()
    harness.device.fail('broken')
    await harness.setStatus(0)
    expect(harness.status).toBe(0)
    harness.start()
    expect(harness.status).toBe(15)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'halt', 'reset', 'enable 0', 'start'])
  })

  it('ends also where the model throws', async () => {
    const harness = new Harness({}, {
      reset: () => {
        throw new Error('broken')
      }
    })
    harness.start()
    await harness.setStatus(0)
    expect(harness.status).toBe(0)
    expect(harness.log).toEqual(['error: reset() of the device threw', 'drain'])
  })

  it('that is stuck is answered in time, and shows until it ends', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    let finish = (): void => undefined
    const harness = new Harness({}, { reset: () => new Promise(resolve => (finish = resolve)) })
    harness.start()
    const done = harness.setStatus(0)
    await vi.advanceTimersByTimeAsync(10_000)
    await done
    expect(harness.status).toBe(15)
    expect(harness.log.at(-1)).toContain('stuck in its reset')
    finish()
    await vi.advanceTimersByTimeAsync(0)
    expect(harness.status).toBe(0)
  })
})

describe('a reset of the function', () => {
  it.each(['client', 'flr', 'power'])('by %s resets the device', async cause => {
    const harness = new Harness()
    harness.start()
    const express = harness.capability(0x10)
    const power = harness.capability(0x01)
    const resets: Record<string, () => Promise<void>> = {
      client: async () => harness.device.function.reset(),
      flr: async () => harness.writeConfig(express + DEVICE_CONTROL, 2, FLR),
      power: async () => {
        await harness.writeConfig(power + 4, 2, 3)
        await harness.writeConfig(power + 4, 2, 0)
      }
    }
    await resets[cause]?.()
    expect(harness.status).toBe(0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'reset'])
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(0)
    expect(harness.events.filter(({ type }) => type === 'reset')).toEqual([{ type: 'reset', cause }])
  })

  it('waits for the model', async () => {
    let finish = (): void => undefined
    const harness = new Harness({}, { reset: () => new Promise(resolve => (finish = resolve)) })
    harness.start()
    const done = Promise.resolve(harness.device.function.reset())
    expect(await hasEnded(done)).toBe(false)
    finish()
    await done
    expect(harness.status).toBe(0)
  })

  it('shows nothing in D3hot, where BARs do not answer', async () => {
    const harness = new Harness()
    harness.start()
    await harness.writeConfig(harness.capability(0x01) + 4, 2, 3)
    expect(harness.readRegion(RegionIndex.BAR4, Common.DEVICE_STATUS, 1)).toBe(0xff)
    await harness.setStatus(0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start'])
  })
})

describe('a failure', () => {
  it('sets NEEDS_RESET with its reason in the log, and stops the queues', () => {
    const harness = new Harness()
    harness.start()
    harness.engine.events.broken('a chain of queue 0 has a loop')
    expect(harness.status).toBe(15 | Status.NEEDS_RESET)
    expect(harness.log).toEqual(['error: the device needs a reset: a chain of queue 0 has a loop'])
    void harness.write(0x3000, 2, 0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'halt'])
  })

  it('is told once', () => {
    const harness = new Harness()
    harness.start()
    harness.device.fail('first')
    harness.device.fail('second')
    expect(harness.log).toEqual(['error: the device needs a reset: first'])
    expect(harness.read(ISR, 1)).toBe(2)
  })

  it('interrupts the driver after DRIVER_OK, or when that is set', () => {
    const after = new Harness()
    after.start()
    after.device.fail('broken')
    expect(after.read(ISR, 1)).toBe(2)
    const before = new Harness()
    before.negotiate()
    before.device.fail('broken')
    expect(before.read(ISR, 1)).toBe(0)
    void before.setStatus(before.status | Status.DRIVER_OK)
    expect(before.read(ISR, 1)).toBe(2)
    expect(before.engine.calls).toEqual(['halt'])
  })
})
