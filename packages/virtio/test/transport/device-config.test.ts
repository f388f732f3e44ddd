import { describe, expect, it } from 'vitest'
import { Common, DEVICE, Harness, ISR, Status } from './harness.js'

const fields = () => new DataView(Uint8Array.from([0x11, 0x22, 0x33, 0x44, 0x55, 0x66]).buffer)

describe('the device-specific configuration', () => {
  it('is read by any width, before FEATURES_OK too', () => {
    const harness = new Harness({ config: { view: fields() } })
    expect([harness.read(DEVICE, 4), harness.read(DEVICE + 2, 2), harness.read(DEVICE + 5, 1)])
      .toEqual([0x4433_2211, 0x4433, 0x66])
  })

  it('reads as zero where it has ended', () => {
    const harness = new Harness({ config: { view: fields() } })
    expect([harness.read(DEVICE + 4, 4), harness.read(DEVICE + 6, 2), harness.read(DEVICE + 0xffc, 4)])
      .toEqual([0x6655, 0, 0])
  })

  it('shows what the device has now', () => {
    const view = fields()
    const harness = new Harness({ config: { view } })
    view.setUint16(0, 0xbeef, true)
    expect(harness.read(DEVICE, 2)).toBe(0xbeef)
  })

  it('is written where the device takes it, after FEATURES_OK', () => {
    const written: number[][] = []
    const write = (...access: number[]): void => void written.push(access)
    const harness = new Harness({ config: { view: fields(), write } })
    void harness.write(DEVICE, 1, 1)
    harness.negotiate()
    void harness.write(DEVICE + 1, 1, 0xab)
    void harness.write(DEVICE + 2, 2, 0xabcd)
    void harness.write(DEVICE, 4, 0xffff_ffff)
    void harness.write(DEVICE + 4, 4, 0)
    void harness.write(DEVICE + 6, 1, 0)
    expect(written).toEqual([[1, 1, 0xab], [2, 2, 0xabcd], [0, 4, 0xffff_ffff]])
  })

  it('is read-only where the device does not take it', () => {
    const harness = new Harness({ config: { view: fields() } })
    harness.negotiate()
    void harness.write(DEVICE, 4, 0)
    expect(harness.read(DEVICE, 4)).toBe(0x4433_2211)
  })

  it('needs a reset where the device throws', () => {
    const write = (): void => {
      throw new Error('broken')
    }
    const harness = new Harness({ config: { view: fields(), write } })
    harness.start()
    void harness.write(DEVICE, 1, 0)
    expect(harness.status & Status.NEEDS_RESET).toBe(Status.NEEDS_RESET)
    expect(harness.log).toEqual(['error: the device needs a reset: write() of the configuration threw'])
  })
})

describe('config_generation', () => {
  const generation = (harness: Harness): number => harness.read(Common.CONFIG_GENERATION, 1)

  it('has changed after the driver read what changed', () => {
    const harness = new Harness({ config: { view: fields() } })
    const before = generation(harness)
    harness.device.configChanged()
    expect(generation(harness)).toBe(before)
    harness.read(DEVICE, 4)
    const after = generation(harness)
    expect(after).not.toBe(before)
    harness.read(DEVICE, 4)
    expect(generation(harness)).toBe(after)
  })

  it('does not come round unseen', () => {
    const harness = new Harness({ config: { view: fields() } })
    const before = generation(harness)
    for (let change = 0; change < 256; change++) harness.device.configChanged()
    harness.read(DEVICE, 1)
    expect(generation(harness)).not.toBe(before)
  })

  it('comes round in 8 bits', () => {
    const harness = new Harness({ config: { view: fields() } })
    for (let change = 0; change < 257; change++) {
      harness.device.configChanged()
      harness.read(DEVICE, 1)
    }
    expect(generation(harness)).toBe(1)
    expect(harness.read(Common.QUEUE_SELECT, 2)).toBe(0)
  })

  it('is not taken back by a reset', async () => {
    const harness = new Harness({ config: { view: fields() } })
    harness.start()
    harness.device.configChanged()
    harness.read(DEVICE, 1)
    await harness.setStatus(0)
    expect(generation(harness)).toBe(1)
    expect(harness.read(ISR, 1)).toBe(0)
  })
})
