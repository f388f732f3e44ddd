import { RegionIndex } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { Common, DEVICE, Harness, ISR, settle, Status } from './harness.js'

const view = () => new DataView(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).buffer)

describe('the PCI function', () => {
  it('has the identity of a modern device', () => {
    const harness = new Harness({ deviceType: 2, classCode: 0x01_00_00 })
    expect(harness.config(0x00, 4)).toBe(0x1042_1af4)
    expect(harness.config(0x08, 4)).toBe(0x0100_0001)
    expect(harness.config(0x2c, 4)).toBe(0x1100_1af4)
    expect(harness.config(0x3d, 1)).toBe(1)
  })

  it('has MSI-X in BAR 1 and the structures in BAR 4, which is 64-bit', () => {
    const harness = new Harness()
    const sizes = [0, 1, 2, 3, 4, 5, 6].map(index => harness.device.function.region(index as RegionIndex).byteLength)
    expect(sizes).toEqual([0, 0x2000, 0, 0, 0x4000, 0, 0])
    expect(harness.config(0x20, 4) & 0xf).toBe(4)
    const msix = harness.capability(0x11)
    expect(harness.config(msix + 2, 2) & 0x7ff).toBe(2)
    expect([harness.config(msix + 4, 4), harness.config(msix + 8, 4)]).toEqual([1, 0x1001])
  })

  it('has capabilities for power, PCI Express, and each structure', () => {
    const harness = new Harness({ config: { view: view() } })
    const list = harness.capabilities().map(at => {
      const id = harness.config(at, 1)
      return id === 0x09 ? `virtio ${harness.config(at + 3, 1)}, ${harness.config(at + 2, 1)} bytes` : id
    })
    expect(list).toEqual([
      0x01,
      0x10,
      'virtio 1, 16 bytes',
      'virtio 2, 20 bytes',
      'virtio 3, 16 bytes',
      'virtio 4, 16 bytes',
      'virtio 5, 20 bytes',
      0x11
    ])
  })

  it('tells where each structure is', () => {
    const harness = new Harness({ config: { view: view() } })
    const places = [1, 2, 3, 4].map(type => {
      const at = harness.structure(type)!
      return [harness.config(at + 4, 4), harness.config(at + 8, 4), harness.config(at + 12, 4)]
    })
    expect(places).toEqual([[4, 0, 64], [4, 0x3000, 8], [4, 0x1000, 1], [4, 0x2000, 12]])
  })

  it('has no device-specific structure where the device has none', () => {
    const harness = new Harness()
    expect(harness.structure(4)).toBeUndefined()
    expect(harness.read(DEVICE, 4)).toBe(0)
    void harness.write(DEVICE, 4, 1)
  })

  it('keeps its capabilities as they are', () => {
    const harness = new Harness()
    const at = harness.structure(1)!
    for (let offset = 0; offset < 16; offset += 4) void harness.writeConfig(at + offset, 4, 0xffff_ffff)
    expect([harness.config(at + 4, 4), harness.config(at + 8, 4), harness.config(at + 12, 4)]).toEqual([4, 0, 64])
  })
})

describe('shared memory', () => {
  const memory = { descriptor: 7, fileOffset: 0x1000, areas: [] }

  it('has a BAR and a capability of its own', () => {
    const harness = new Harness({ sharedMemory: [{ id: 3, byteLength: 0x3000, memory }], config: { view: view() } })
    const at = harness.structure(8)!
    expect(harness.config(at + 2, 1)).toBe(24)
    expect([4, 8, 12, 16, 20].map(offset => harness.config(at + offset, 4))).toEqual([0x0302, 0, 0x3000, 0, 0])
    expect(harness.device.function.region(RegionIndex.BAR2)).toMatchObject({
      byteLength: 0x4000,
      memory: { descriptor: 7, fileOffset: 0x1000, areas: [{ offset: 0, byteLength: 0x3000 }] }
    })
  })

  it('may be larger than 4 GiB', () => {
    const harness = new Harness({ sharedMemory: [{ id: 0, byteLength: 2 ** 33, memory }] })
    const at = harness.structure(8)!
    expect([12, 20].map(offset => harness.config(at + offset, 4))).toEqual([0, 2])
    expect(harness.device.function.region(RegionIndex.BAR2)).toMatchObject({ byteLength: 2 ** 33, memory })
  })

  it('is reached by clients that do not map it, where the device can', () => {
    const bytes = new Uint8Array(0x3000)
    const harness = new Harness({ sharedMemory: [{ id: 0, byteLength: 0x3000, memory, bytes }] })
    void harness.writeRegion(RegionIndex.BAR2, 0x1ffe, 4, 0xa1b2_c3d4)
    void harness.writeRegion(RegionIndex.BAR2, 0x3000, 4, 0xffff_ffff)
    expect([...bytes.subarray(0x1ffe, 0x2002)]).toEqual([0xd4, 0xc3, 0xb2, 0xa1])
    expect(harness.readRegion(RegionIndex.BAR2, 0x1ffe, 4)).toBe(0xa1b2_c3d4)
    expect(harness.readRegion(RegionIndex.BAR2, 0x3000, 4)).toBe(0)
    const without = new Harness({ sharedMemory: [{ id: 0, byteLength: 0x3000, memory }] })
    expect(without.readRegion(RegionIndex.BAR2, 0, 4)).toBe(0)
  })
})

describe('the window in configuration space', () => {
  const open = (harness: Harness, bar: number, offset: number, length: number): number => {
    const at = harness.structure(5)!
    void harness.writeConfig(at + 4, 1, bar)
    void harness.writeConfig(at + 8, 4, offset)
    void harness.writeConfig(at + 12, 4, length)
    return at + 16
  }

  it('reads and writes the structures, by any width', () => {
    const harness = new Harness({ config: { view: view() } })
    expect(harness.config(open(harness, 4, Common.NUM_QUEUES, 2), 2)).toBe(2)
    expect(harness.config(open(harness, 4, DEVICE + 4, 4), 4)).toBe(0x0807_0605)
    expect(harness.config(open(harness, 4, DEVICE + 9, 1), 1)).toBe(10)
    void harness.writeConfig(open(harness, 4, Common.DEVICE_STATUS, 1), 1, Status.ACKNOWLEDGE)
    expect(harness.status).toBe(Status.ACKNOWLEDGE)
    void harness.writeConfig(open(harness, 4, Common.QUEUE_SELECT, 2), 2, 1)
    expect(harness.read(Common.QUEUE_SELECT, 2)).toBe(1)
    void harness.writeConfig(open(harness, 4, Common.DEVICE_FEATURE_SELECT, 4), 4, 1)
    expect(harness.config(open(harness, 4, Common.DEVICE_FEATURE, 4), 4)).toBe(0x14f)
  })

  it('reads once for each access, so that ISR status is not lost', () => {
    const harness = new Harness()
    harness.start()
    const data = open(harness, 4, ISR, 1)
    harness.engine.events.interrupt(0)
    expect(harness.config(data, 1)).toBe(1)
    expect(harness.config(data, 1)).toBe(0)
    harness.engine.events.interrupt(0)
    expect(harness.config(data, 2)).toBe(1)
  })

  it('stores only as many bytes as it has read', () => {
    const harness = new Harness()
    const data = open(harness, 4, Common.NUM_QUEUES, 1)
    expect(harness.config(data, 4)).toBe(2)
    void harness.writeConfig(data, 4, 0xaabb_ccdd)
    expect(harness.config(data, 4)).toBe(0xaabb_cc02)
  })

  it('waits as the access behind it does', async () => {
    const harness = new Harness()
    harness.start()
    harness.holdsDrain = true
    let isAnswered = false
    void Promise.resolve(harness.writeConfig(open(harness, 4, Common.DEVICE_STATUS, 1), 1, 0)).then(() => {
      isAnswered = true
    })
    await settle()
    expect(isAnswered).toBe(false)
    harness.finishDrain()
    await settle()
    expect(isAnswered).toBe(true)
    expect(harness.status).toBe(0)
  })

  it.each([
    ['a BAR without structures', 1, 0, 4],
    ['a BAR that there is not', 0, 0, 4],
    ['no BAR at all', 0xff, 0, 4],
    ['a length of 0', 4, 0, 0],
    ['a length of 3', 4, 0, 3],
    ['a length of 8', 4, 0, 8],
    ['an offset that is not aligned', 4, 2, 4],
    ['an offset past the end', 4, 0x4000, 4],
    ['an offset near 2^32', 4, 0xffff_fffc, 4]
  ])('does nothing with %s', (_name, bar, offset, length) => {
    const harness = new Harness()
    const data = open(harness, bar, offset, length)
    void harness.writeConfig(data, 4, 0x1111_1111)
    expect(harness.config(data, 4)).toBe(0x1111_1111)
    expect(harness.read(Common.DEVICE_FEATURE_SELECT, 4)).toBe(0)
  })

  it('reaches shared memory too', () => {
    const bytes = new Uint8Array(0x1000).fill(0x77)
    const memory = { descriptor: 7, fileOffset: 0, areas: [] }
    const harness = new Harness({ sharedMemory: [{ id: 0, byteLength: 0x1000, memory, bytes }] })
    expect(harness.config(open(harness, 2, 0xffc, 4), 4)).toBe(0x7777_7777)
  })
})
