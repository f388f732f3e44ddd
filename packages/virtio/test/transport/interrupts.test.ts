import { describe, expect, it } from 'vitest'
import { Common, Harness, ISR, Status } from './harness.js'

const PCI_STATUS = 0x06
const INTERRUPT_STATUS = 1 << 3

/** A device at work whose queues and configuration have vectors. */
function startWithVectors (harness: Harness, [config, first, second]: readonly [number, number, number]): void {
  void harness.write(Common.CONFIG_MSIX_VECTOR, 2, config)
  harness.negotiate()
  harness.enableQueue(0)
  void harness.write(Common.QUEUE_MSIX_VECTOR, 2, first)
  harness.enableQueue(1)
  void harness.write(Common.QUEUE_MSIX_VECTOR, 2, second)
  void harness.setStatus(harness.status | Status.DRIVER_OK)
}

describe('interrupts by MSI-X', () => {
  it('go to the vector of the queue', () => {
    const harness = new Harness()
    const triggers = harness.enableMsix(3)
    startWithVectors(harness, [0, 1, 2])
    harness.engine.events.interrupt(1)
    harness.engine.events.interrupt(1)
    harness.engine.events.interrupt(0)
    harness.device.configChanged()
    expect(triggers.map(({ count }) => count)).toEqual([1, 1, 2])
  })

  it('may share a vector', () => {
    const harness = new Harness()
    const triggers = harness.enableMsix(3)
    startWithVectors(harness, [2, 2, 2])
    harness.engine.events.interrupt(0)
    harness.engine.events.interrupt(1)
    harness.device.configChanged()
    expect(triggers.map(({ count }) => count)).toEqual([0, 0, 3])
  })

  it('do not happen without a vector', () => {
    const harness = new Harness()
    const triggers = harness.enableMsix(3)
    startWithVectors(harness, [0xffff, 0xffff, 0])
    harness.engine.events.interrupt(0)
    harness.device.configChanged()
    expect(triggers.map(({ count }) => count)).toEqual([0, 0, 0])
  })

  it('leave ISR status to changes of the configuration', () => {
    const harness = new Harness()
    harness.enableMsix(3)
    startWithVectors(harness, [0, 1, 2])
    harness.engine.events.interrupt(0)
    expect(harness.read(ISR, 1)).toBe(0)
    harness.device.configChanged()
    expect(harness.read(ISR, 1)).toBe(2)
  })
})

describe('interrupts by INTx', () => {
  it('tell why in ISR status, which is cleared by reading it', () => {
    const harness = new Harness()
    const pin = harness.enableIntx()
    harness.start()
    harness.engine.events.interrupt(0)
    harness.device.configChanged()
    expect(pin.count).toBe(1)
    expect(harness.config(PCI_STATUS, 2) & INTERRUPT_STATUS).toBe(INTERRUPT_STATUS)
    expect(harness.read(ISR, 1)).toBe(3)
    expect(harness.read(ISR, 1)).toBe(0)
    expect(harness.config(PCI_STATUS, 2) & INTERRUPT_STATUS).toBe(0)
    harness.device.function.interrupts.unmask(0, 0, 1)
    expect(pin.count).toBe(1)
  })

  it('go on until ISR status is read', () => {
    const harness = new Harness()
    const pin = harness.enableIntx()
    harness.start()
    harness.engine.events.interrupt(0)
    harness.device.function.interrupts.unmask(0, 0, 1)
    expect(pin.count).toBe(2)
    expect(harness.read(ISR, 4)).toBe(1)
    harness.engine.events.interrupt(1)
    harness.device.function.interrupts.unmask(0, 0, 1)
    expect(pin.count).toBe(3)
  })

  it('happen for a change of the configuration only after DRIVER_OK', () => {
    const harness = new Harness()
    harness.negotiate()
    harness.device.configChanged()
    expect(harness.read(ISR, 1)).toBe(0)
    void harness.setStatus(harness.status | Status.DRIVER_OK)
    harness.device.configChanged()
    expect(harness.read(ISR, 1)).toBe(2)
  })
})

describe('ISR status', () => {
  it('is one register, and is not written', () => {
    const harness = new Harness()
    harness.start()
    harness.engine.events.interrupt(0)
    void harness.write(ISR, 1, 0xff)
    expect(harness.read(ISR + 1, 1)).toBe(0)
    expect(harness.read(ISR + 4, 4)).toBe(0)
    expect(harness.read(ISR, 2)).toBe(1)
  })
})
