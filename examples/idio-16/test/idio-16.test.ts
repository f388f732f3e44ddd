import { afterEach, describe, expect, it, vi } from 'vitest'
import { silentLogger, silentRecorder } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import { Idio16, idio16OptionsSchema } from '../src/index.js'
import { attachDriver } from './served-card.js'

// The ports by their numbers, as the manual of the card has them.
const OUT_LOW = 0
const IN_LOW = 1
const CLEAR_INTERRUPT = 1
const INTERRUPTS = 2
const FILTERS = 3
const OUT_HIGH = 4
const IN_HIGH = 5
const STATUS = 6
const FILTERS_LOW = 7

describe('the card', () => {
  it('is what Linux looks for', async () => {
    await using card = await attachDriver()
    expect(await card.pci.vendorId()).toBe(0x494f)
    expect(await card.pci.deviceId()).toBe(0x0dc8)
    expect(await card.pci.sizeBar(2)).toEqual({ kind: 'io', prefetchable: false, byteLength: 8 })
  })

  it('has outputs that read what was written', async () => {
    await using card = await attachDriver()
    await card.output(OUT_LOW, 0x12)
    await card.output(OUT_HIGH, 0x34)
    expect([await card.input(OUT_LOW), await card.input(OUT_HIGH)]).toEqual([0x12, 0x34])
  })

  it('takes wider accesses as those of several ports', async () => {
    await using card = await attachDriver()
    await card.client.writeRegion(2, 4, Uint8Array.of(0x81, 0, 0, 0x42))
    expect([...await card.client.readRegion(2, 4, 4)]).toEqual([0x81, 0x81, 0, 0x42])
    expect([...await card.client.readRegion(2, 0, 8)]).toEqual([0, 0, 0, 0, 0x81, 0x81, 0, 0xff])
  })

  it('switches filters on with a read and off with a write', async () => {
    await using card = await attachDriver()
    await card.output(FILTERS_LOW, 0x0f)
    expect(await card.input(FILTERS_LOW)).toBe(0x0f)
    await card.input(FILTERS)
    expect(await card.input(FILTERS_LOW)).toBe(0xff)
    await card.output(FILTERS, 0)
    expect(await card.input(FILTERS_LOW)).toBe(0)
  })

  it('is as it was at power-on after a reset', async () => {
    await using card = await attachDriver()
    await card.input(INTERRUPTS)
    await card.output(OUT_LOW, 1)
    await card.output(FILTERS_LOW, 1)
    await card.client.reset()
    expect([...await card.client.readRegion(2, 4, 4)]).toEqual([0, 0, 0, 0])
    expect(await card.input(OUT_LOW)).toBe(0)
    await card.output(OUT_LOW, 1)
    expect(await card.input(STATUS)).toBe(0)
  })
})

describe('the inputs', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('are wired to the outputs unless told otherwise', async () => {
    await using card = await attachDriver()
    await card.output(OUT_LOW, 0x12)
    await card.output(OUT_HIGH, 0x34)
    expect([await card.input(IN_LOW), await card.input(IN_HIGH)]).toEqual([0x12, 0x34])
  })

  it('keep a pattern, whatever the outputs are', async () => {
    await using card = await attachDriver({ inputs: 'pattern', pattern: 0xbeef })
    await card.output(OUT_LOW, 0x12)
    await card.client.reset()
    expect([await card.input(IN_LOW), await card.input(IN_HIGH)]).toEqual([0xef, 0xbe])
  })

  it('count, and begin again after 16 bits', () => {
    vi.useFakeTimers()
    const busMaster = new FakeDmaManager()
    const services = { dma: busMaster, busMaster, recorder: silentRecorder, logger: silentLogger }
    const card = new Idio16(idio16OptionsSchema.parse({ inputs: 'count', countMs: 10 }), services)
    const inputs = (): number => {
      const view = new DataView(new ArrayBuffer(2))
      void card.function.readRegion(2, IN_LOW, view, 0, 1)
      void card.function.readRegion(2, IN_HIGH, view, 1, 1)
      return view.getUint16(0, true)
    }
    vi.advanceTimersByTime(10 * 0x102)
    expect(inputs()).toBe(0x102)
    vi.advanceTimersByTime(10 * 0xff00)
    expect(inputs()).toBe(2)
    void card.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the interrupt', () => {
  it('comes when an input changes, and is up until it is cleared', async () => {
    await using card = await attachDriver()
    const irqs = await card.pci.enableIntx()
    await card.input(INTERRUPTS)
    await card.output(OUT_HIGH, 1)
    await irqs.next(0)
    expect(await card.input(STATUS) & 0x4).toBe(0x4)
    expect(await card.input(STATUS) & 0x3).not.toBe(0)
    await card.output(CLEAR_INTERRUPT, 0)
    await irqs.unmask()
    expect(await card.input(STATUS)).toBe(0)
    expect(irqs.count(0)).toBe(1)
  })

  it('does not come while it is off, nor for what happened then', async () => {
    await using card = await attachDriver()
    const irqs = await card.pci.enableIntx()
    await card.output(OUT_LOW, 1)
    await card.input(INTERRUPTS)
    await card.output(OUT_LOW, 1)
    await card.output(INTERRUPTS, 0)
    await card.output(OUT_LOW, 0)
    expect(await card.input(STATUS)).toBe(0)
    expect(irqs.count(0)).toBe(0)
  })

  it('goes when it is switched off', async () => {
    await using card = await attachDriver()
    await card.input(INTERRUPTS)
    await card.output(OUT_LOW, 1)
    await card.output(INTERRUPTS, 0)
    expect(await card.input(STATUS)).toBe(0)
  })
})

describe('the options', () => {
  it.each([{ inputs: 'noise' }, { pattern: 0x1_0000 }, { countMs: 0 }, { outputs: 1 }])('refuse %o', options => {
    expect(idio16OptionsSchema.safeParse(options).success).toBe(false)
  })
})
