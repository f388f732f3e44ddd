import { describe, expect, it } from 'vitest'
import { Common, Harness, High, settle, Status } from './harness.js'

const PACKED = High.VERSION_1 | High.RING_PACKED

describe('queue_enable', () => {
  it('gives the queue to the engine', () => {
    const harness = new Harness()
    harness.negotiate()
    harness.select(1)
    void harness.write(Common.QUEUE_SIZE, 2, 32)
    harness.enableQueue(1, 0x12_3450_0000)
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(1)
    expect(harness.engine.calls).toEqual(['enable 1'])
    expect(harness.engine.places).toEqual([
      { size: 32, descriptorArea: 0x12_3450_0000, driverArea: 0x12_3450_4000, deviceArea: 0x12_3450_8000 }
    ])
  })

  it('takes the largest size where the driver chose none', () => {
    const harness = new Harness({ queues: [{ entriesMax: 32768 }] })
    harness.start()
    expect(harness.engine.places[0]?.size).toBe(32768)
  })

  it('only ever enables', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(Common.QUEUE_ENABLE, 2, 0)
    void harness.write(Common.QUEUE_ENABLE, 2, 1)
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(1)
    harness.select(1)
    void harness.write(Common.QUEUE_ENABLE, 2, 2)
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start'])
  })

  it('leaves size and place of a queue as the engine has them', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(Common.QUEUE_SIZE, 2, 8)
    harness.setAddress(Common.QUEUE_DESC, 0x4000)
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(256)
    expect(harness.read(Common.QUEUE_DESC, 4)).toBe(0x10000)
  })

  it.each([
    ['a size of zero', High.VERSION_1, 0, {}, 'queue 0 has a size of 0, out of 1 to 256'],
    ['a size above the largest', High.VERSION_1, 512, {}, 'queue 0 has a size of 512, out of 1 to 256'],
    ['a packed size above the largest', PACKED, 257, {}, 'queue 0 has a size of 257, out of 1 to 256'],
    [
      'a split size that is no power of two',
      High.VERSION_1,
      100,
      {},
      'queue 0 is split and has a size of 100, not a power of two'
    ],
    [
      'a Descriptor Area off by 8',
      High.VERSION_1,
      8,
      { desc: 8 },
      'the Descriptor Area of queue 0 is not aligned to 16 bytes'
    ],
    [
      'a Driver Area off by 1',
      High.VERSION_1,
      8,
      { driver: 1 },
      'the Driver Area of queue 0 is not aligned to 2 bytes'
    ],
    ['a packed Driver Area off by 2', PACKED, 8, { driver: 2 }, 'the Driver Area of queue 0 is not aligned to 4 bytes'],
    [
      'a Device Area off by 2',
      High.VERSION_1,
      8,
      { device: 2 },
      'the Device Area of queue 0 is not aligned to 4 bytes'
    ],
    [
      'a Descriptor Area at 2^53',
      High.VERSION_1,
      8,
      { desc: 2 ** 53 },
      'the Descriptor Area of queue 0 does not end below 2^53'
    ],
    [
      'a Descriptor Area across 2^53',
      High.VERSION_1,
      8,
      { desc: 2 ** 53 - 64 },
      'the Descriptor Area of queue 0 does not end below 2^53'
    ],
    [
      'a Device Area near 2^64',
      High.VERSION_1,
      8,
      { device: 2 ** 64 - 2 ** 20 },
      'the Device Area of queue 0 does not end below 2^53'
    ]
  ])('needs a reset after %s', (_name, high, size, areas, reason) => {
    const { desc, driver, device } = { desc: 0, driver: 0x1000, device: 0x2000, ...areas }
    const harness = new Harness()
    harness.negotiate(0, high)
    void harness.write(Common.QUEUE_SIZE, 2, size)
    harness.setAddress(Common.QUEUE_DESC, desc)
    harness.setAddress(Common.QUEUE_DRIVER, driver)
    harness.setAddress(Common.QUEUE_DEVICE, device)
    void harness.write(Common.QUEUE_ENABLE, 2, 1)
    expect(harness.status & Status.NEEDS_RESET).toBe(Status.NEEDS_RESET)
    expect(harness.log).toEqual([`error: the device needs a reset: ${reason}`])
    expect(harness.engine.calls).toEqual(['halt'])
  })

  it.each([1, 3, 100, 256])('takes a packed ring of %i entries', size => {
    const harness = new Harness()
    harness.negotiate(0, PACKED)
    void harness.write(Common.QUEUE_SIZE, 2, size)
    harness.enableQueue(0)
    expect(harness.engine.places[0]?.size).toBe(size)
  })

  it('needs a reset before features are negotiated, and enables nothing after that', () => {
    const harness = new Harness()
    harness.enableQueue(0)
    expect(harness.status).toBe(Status.NEEDS_RESET)
    harness.negotiate()
    harness.enableQueue(0)
    expect(harness.engine.calls).toEqual(['halt'])
  })
})

describe('queue_reset', () => {
  const RESET = High.VERSION_1 | High.RING_RESET

  it('reads 1 until the engine is done, and the queue is that of power-on then', async () => {
    const harness = new Harness()
    harness.negotiate(0, RESET)
    void harness.write(Common.QUEUE_SIZE, 2, 16)
    void harness.write(Common.QUEUE_MSIX_VECTOR, 2, 1)
    harness.enableQueue(0)
    void harness.setStatus(harness.status | Status.DRIVER_OK)
    expect(harness.write(Common.QUEUE_RESET, 2, 1)).toBeUndefined()
    await settle()
    expect(harness.read(Common.QUEUE_RESET, 2)).toBe(1)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    void harness.write(Common.QUEUE_ENABLE, 2, 1)
    void harness.write(Common.QUEUE_SIZE, 2, 8)
    harness.engine.finishQueueReset()
    await settle()
    expect([0x3a, 0x1c, 0x18, 0x1a, 0x20].map(offset => harness.read(offset, 2))).toEqual([0, 0, 256, 0xffff, 0])
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'reset 0'])
  })

  it('lets the queue be enabled again, otherwise', async () => {
    const harness = new Harness()
    harness.start(0, RESET)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    harness.engine.finishQueueReset()
    await settle()
    void harness.write(Common.QUEUE_SIZE, 2, 8)
    harness.enableQueue(0, 0x50000)
    expect(harness.read(Common.QUEUE_RESET, 2)).toBe(0)
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(1)
    expect(harness.engine.places[1]).toEqual({
      size: 8,
      descriptorArea: 0x50000,
      driverArea: 0x54000,
      deviceArea: 0x58000
    })
  })

  it('leaves the other queues alone', () => {
    const harness = new Harness()
    harness.start(0, RESET)
    harness.enableQueue(1)
    harness.select(0)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    harness.select(1)
    expect(harness.read(Common.QUEUE_RESET, 2)).toBe(0)
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(1)
  })

  it('is done at once for a queue that is not enabled', () => {
    const harness = new Harness()
    harness.negotiate(0, RESET)
    void harness.write(Common.QUEUE_SIZE, 2, 8)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    expect(harness.read(Common.QUEUE_RESET, 2)).toBe(0)
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(256)
    expect(harness.engine.calls).toEqual([])
  })

  it('means nothing without RING_RESET, and when 0 is written', () => {
    const without = new Harness()
    without.start()
    void without.write(Common.QUEUE_RESET, 2, 1)
    expect(without.engine.calls).toEqual(['enable 0', 'start'])
    const zero = new Harness()
    zero.start(0, RESET)
    void zero.write(Common.QUEUE_RESET, 2, 0)
    expect(zero.engine.calls).toEqual(['enable 0', 'start'])
  })

  it('that is overtaken by a reset of the device changes nothing afterwards', async () => {
    const harness = new Harness()
    harness.start(0, RESET)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    await harness.setStatus(0)
    harness.start(0, RESET)
    harness.engine.finishQueueReset()
    await settle()
    expect(harness.read(Common.QUEUE_ENABLE, 2)).toBe(1)
  })

  it('that fails needs a reset of the device', async () => {
    const harness = new Harness()
    harness.start(0, RESET)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    harness.engine.failQueueReset(new Error('broken'))
    await settle()
    expect(harness.status & Status.NEEDS_RESET).toBe(Status.NEEDS_RESET)
  })
})
