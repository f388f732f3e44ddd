import { describe, expect, it } from 'vitest'
import { Common, Harness, High, Status } from './harness.js'

describe('the common configuration', () => {
  it('is that of power-on at first', () => {
    const harness = new Harness()
    const words = Array.from({ length: 16 }, (_, index) => harness.read(index * 4, 4))
    expect(words.map(word => word.toString(16))).toEqual([
      ...['0', '30000000', '0', '0'],
      ...['2ffff', '0', 'ffff0100', '0'],
      ...['0', '0', '0', '0', '0', '0'],
      ...['0', '0']
    ])
  })

  it('shows the offered features word by word, and nothing beyond', () => {
    const harness = new Harness({ features: [1, 6, 55] })
    expect([0, 1, 2, 3, 4, 0xffff_ffff].map(select => harness.offered(select))).toEqual([
      0x3000_0042,
      // VERSION_1, ACCESS_PLATFORM, RING_PACKED, IN_ORDER, NOTIFICATION_DATA, RING_RESET; bit 55 of the device type.
      0x0080_014f,
      0,
      0,
      0,
      0
    ])
    expect(harness.read(Common.DEVICE_FEATURE_SELECT, 4)).toBe(0xffff_ffff)
  })

  it('keeps what the driver accepts, word by word', () => {
    const harness = new Harness()
    harness.accept(0, 0x2000_0001)
    harness.accept(1, 0x8000_0001)
    harness.accept(9, 0xffff_ffff)
    expect(harness.read(Common.DRIVER_FEATURE, 4)).toBe(0)
    void harness.write(Common.DRIVER_FEATURE_SELECT, 4, 0)
    expect(harness.read(Common.DRIVER_FEATURE, 4)).toBe(0x2000_0001)
    void harness.write(Common.DRIVER_FEATURE_SELECT, 4, 1)
    expect(harness.read(Common.DRIVER_FEATURE, 4)).toBe(0x8000_0001)
  })

  it('leaves what is read-only as it is', () => {
    const harness = new Harness({ queues: [{ entriesMax: 256 }, { entriesMax: 64 }] })
    harness.select(1)
    const readOnly = [
      Common.NUM_QUEUES,
      Common.QUEUE_NOTIFY_OFF,
      Common.QUEUE_NOTIF_CONFIG_DATA,
      Common.ADMIN_QUEUE_INDEX,
      Common.ADMIN_QUEUE_NUM
    ]
    for (const offset of readOnly) void harness.write(offset, 2, 0xffff)
    void harness.write(Common.DEVICE_FEATURE, 4, 0)
    void harness.write(Common.CONFIG_GENERATION, 1, 9)
    expect(readOnly.map(offset => harness.read(offset, 2))).toEqual([2, 1, 1, 0, 0])
    expect(harness.read(Common.DEVICE_FEATURE, 4)).toBe(0x3000_0000)
    expect(harness.read(Common.CONFIG_GENERATION, 1)).toBe(0)
  })

  it('has the fields of each queue on their own', () => {
    const harness = new Harness()
    harness.select(1)
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(64)
    expect(harness.read(Common.QUEUE_NOTIFY_OFF, 2)).toBe(1)
    void harness.write(Common.QUEUE_SIZE, 2, 16)
    harness.setAddress(Common.QUEUE_DESC, 0x1_2345_6780)
    harness.setAddress(Common.QUEUE_DRIVER, 0x2_0000_0002)
    harness.setAddress(Common.QUEUE_DEVICE, 0x3_0000_0004)
    harness.select(0)
    expect([0x18, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34].map(at => harness.read(at, at === 0x18 ? 2 : 4)))
      .toEqual([256, 0, 0, 0, 0, 0, 0])
    harness.select(1)
    expect([0x18, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34].map(at => harness.read(at, at === 0x18 ? 2 : 4)))
      .toEqual([16, 0x2345_6780, 1, 2, 2, 4, 3])
  })

  it('has no queue where there is none', () => {
    const harness = new Harness()
    harness.select(2)
    void harness.write(Common.QUEUE_SIZE, 2, 16)
    void harness.write(Common.QUEUE_MSIX_VECTOR, 2, 0)
    void harness.write(Common.QUEUE_DESC, 4, 0x1000)
    void harness.write(Common.QUEUE_ENABLE, 2, 1)
    void harness.write(Common.QUEUE_RESET, 2, 1)
    expect([0x18, 0x1a, 0x1c, 0x1e, 0x20, 0x38, 0x3a].map(offset => harness.read(offset, 2)))
      .toEqual([0, 0xffff, 0, 0, 0, 0, 0])
    expect(harness.status).toBe(0)
  })

  it('shows a size that is not a power of two only for packed rings', () => {
    const harness = new Harness()
    void harness.write(Common.QUEUE_SIZE, 2, 100)
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(0)
    harness.negotiate(0, High.VERSION_1 | High.RING_PACKED)
    expect(harness.read(Common.QUEUE_SIZE, 2)).toBe(100)
  })

  it('takes a part of a field, and leaves the rest of it', () => {
    const harness = new Harness()
    void harness.write(Common.DRIVER_FEATURE, 4, 0x1122_3344)
    void harness.write(Common.DRIVER_FEATURE + 1, 1, 0xaa)
    void harness.write(Common.DRIVER_FEATURE + 2, 2, 0xbbcc)
    expect(harness.read(Common.DRIVER_FEATURE, 4)).toBe(0xbbcc_aa44)
    expect(harness.read(Common.DRIVER_FEATURE + 3, 1)).toBe(0xbb)
    expect(harness.read(Common.DRIVER_FEATURE + 2, 2)).toBe(0xbbcc)
  })

  it('takes an access across fields as one of each', () => {
    const harness = new Harness()
    void harness.write(Common.DEVICE_STATUS, 4, 0x0001_0001)
    expect(harness.status).toBe(Status.ACKNOWLEDGE)
    expect(harness.read(Common.QUEUE_SELECT, 2)).toBe(1)
    expect(harness.read(Common.DEVICE_STATUS, 4)).toBe(0x0001_0001)
    void harness.write(Common.QUEUE_SIZE, 4, 0x0001_0020)
    expect(harness.read(Common.QUEUE_SIZE, 4)).toBe(0x0001_0020)
  })

  it('is followed by nothing', () => {
    const harness = new Harness()
    void harness.write(0x40, 4, 0xffff_ffff)
    void harness.write(0xffc, 4, 0xffff_ffff)
    expect([harness.read(0x40, 4), harness.read(0xffc, 4), harness.read(0x41, 1)]).toEqual([0, 0, 0])
  })
})

describe('the vectors', () => {
  it('are those that the driver chose, and NO_VECTOR for one that there is not', () => {
    const harness = new Harness()
    const vectors = [0, 2, 3, 0x7ff, 0xfffe, 0xffff].map(vector => {
      void harness.write(Common.CONFIG_MSIX_VECTOR, 2, vector)
      void harness.write(Common.QUEUE_MSIX_VECTOR, 2, vector)
      return [harness.read(Common.CONFIG_MSIX_VECTOR, 2), harness.read(Common.QUEUE_MSIX_VECTOR, 2)]
    })
    const none = [0xffff, 0xffff]
    expect(vectors).toEqual([[0, 0], [2, 2], none, none, none, none])
  })

  it('are as many as asked for, and none where there is no MSI-X', () => {
    const many = new Harness({ msixVectors: 5 })
    void many.write(Common.CONFIG_MSIX_VECTOR, 2, 4)
    expect(many.read(Common.CONFIG_MSIX_VECTOR, 2)).toBe(4)
    const none = new Harness({ msixVectors: 0 })
    void none.write(Common.CONFIG_MSIX_VECTOR, 2, 0)
    expect(none.read(Common.CONFIG_MSIX_VECTOR, 2)).toBe(0xffff)
    expect(none.capability(0x11)).toBeUndefined()
  })

  it('are kept for each queue', () => {
    const harness = new Harness()
    void harness.write(Common.QUEUE_MSIX_VECTOR, 2, 1)
    harness.select(1)
    expect(harness.read(Common.QUEUE_MSIX_VECTOR, 2)).toBe(0xffff)
    void harness.write(Common.QUEUE_MSIX_VECTOR, 2, 2)
    harness.select(0)
    expect(harness.read(Common.QUEUE_MSIX_VECTOR, 2)).toBe(1)
  })
})
