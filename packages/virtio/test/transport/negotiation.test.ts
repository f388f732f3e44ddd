import { describe, expect, it } from 'vitest'
import type { FeatureSet } from '../../src/index.js'
import { Common, Harness, High, Status } from './harness.js'

const BEFORE = Status.ACKNOWLEDGE | Status.DRIVER
const AFTER = BEFORE | Status.FEATURES_OK
const EVENT_IDX = 1 << 29
const INDIRECT_DESC = 1 << 28

describe('feature negotiation', () => {
  it.each([
    ['VERSION_1 alone', 0, High.VERSION_1, AFTER],
    ['everything that is offered', 0x3000_0000, 0x14f, AFTER],
    ['a feature of the device type', 1 << 5, High.VERSION_1, AFTER],
    ['nothing', 0, 0, BEFORE],
    ['all but VERSION_1', 0x3000_0000, 0x14e, BEFORE],
    ['a feature of the device type that is not offered', 1 << 6, High.VERSION_1, BEFORE],
    ['a reserved feature that is not offered: ADMIN_VQ', 0, High.VERSION_1 | 1 << 9, BEFORE],
    ['ORDER_PLATFORM, which is not offered', 0, High.VERSION_1 | 1 << 4, BEFORE]
  ])('of %s', (_name, low, high, status) => {
    const harness = new Harness({ features: [5] })
    harness.negotiate(low, high)
    expect(harness.status).toBe(status)
  })

  it('takes bits of the last words into account', () => {
    const harness = new Harness({ features: [101] })
    harness.accept(3, 1 << 6)
    harness.negotiate()
    expect(harness.status).toBe(BEFORE)
    harness.accept(3, 1 << 5)
    void harness.setStatus(AFTER)
    expect(harness.status).toBe(AFTER)
    expect(harness.device.features.has(101)).toBe(true)
  })

  it('does not offer what the description leaves out', () => {
    const harness = new Harness({ withoutFeatures: [34, 29] })
    expect([harness.offered(0), harness.offered(1)]).toEqual([INDIRECT_DESC, 0x14b])
    harness.negotiate(EVENT_IDX)
    expect(harness.status).toBe(BEFORE)
  })

  it('tells the model, which may refuse', () => {
    const seen: boolean[] = []
    const negotiated = (features: FeatureSet): string | undefined => {
      seen.push(features.has(5))
      return features.has(5) ? undefined : 'it has to have five'
    }
    const harness = new Harness({ features: [5] }, { negotiated })
    harness.negotiate()
    expect(harness.status).toBe(BEFORE)
    expect(harness.device.features.has(32)).toBe(false)
    expect(harness.log).toEqual(['warn: the features that the driver accepted are refused: it has to have five'])
    harness.accept(0, 1 << 5)
    void harness.setStatus(AFTER)
    expect(harness.status).toBe(AFTER)
    expect(seen).toEqual([false, true])
  })

  it('is not asked of the model for what was not offered', () => {
    const harness = new Harness({}, {
      negotiated: () => {
        throw new Error('asked')
      }
    })
    harness.negotiate(1)
    expect(harness.status).toBe(BEFORE)
    expect(harness.log).toEqual(['warn: the features that the driver accepted are refused: some were not offered'])
  })

  it('needs a reset where the model throws', () => {
    const harness = new Harness({}, {
      negotiated: () => {
        throw new Error('broken')
      }
    })
    harness.negotiate()
    expect(harness.status).toBe(BEFORE | Status.NEEDS_RESET)
    expect(harness.log[0]).toBe('error: the device needs a reset: negotiated() threw')
  })

  it('shows what was negotiated, from FEATURES_OK to the reset', async () => {
    const harness = new Harness({ features: [5] })
    const { features } = harness.device
    harness.accept(0, 1 << 5)
    expect(features.has(5)).toBe(false)
    harness.negotiate(1 << 5)
    expect([features.has(5), features.has(32), features.has(29)]).toEqual([true, true, false])
    await harness.setStatus(0)
    expect([features.has(5), features.has(32)]).toEqual([false, false])
  })

  it('adds nothing once FEATURES_OK is set', () => {
    const harness = new Harness()
    harness.negotiate()
    harness.accept(0, EVENT_IDX)
    void harness.write(Common.DRIVER_FEATURE_SELECT, 4, 0)
    expect(harness.read(Common.DRIVER_FEATURE, 4)).toBe(0)
  })

  it('tells the queues what concerns them', () => {
    const plain = new Harness()
    plain.start()
    expect(plain.engine.features)
      .toEqual([{ isPacked: false, hasIndirect: false, hasEventIndex: false, isInOrder: false }])
    const full = new Harness()
    full.start(EVENT_IDX | INDIRECT_DESC, 0x14f)
    expect(full.engine.features).toEqual([{ isPacked: true, hasIndirect: true, hasEventIndex: true, isInOrder: true }])
  })
})

describe('device_status', () => {
  it('takes bits in their order only', () => {
    const harness = new Harness()
    harness.accept(1, High.VERSION_1)
    const seen = [Status.DRIVER, Status.FEATURES_OK, Status.DRIVER_OK, 0x30].map(bit => {
      void harness.setStatus(bit)
      return harness.status
    })
    expect(seen).toEqual([0, 0, 0, 0])
    void harness.setStatus(Status.ACKNOWLEDGE)
    void harness.setStatus(Status.ACKNOWLEDGE | Status.FEATURES_OK)
    expect(harness.status).toBe(Status.ACKNOWLEDGE)
    void harness.setStatus(BEFORE)
    void harness.setStatus(BEFORE | Status.DRIVER_OK)
    expect(harness.status).toBe(BEFORE)
    expect(harness.engine.calls).toEqual([])
  })

  it('takes several at once, as firmware sets them', () => {
    const harness = new Harness()
    harness.accept(1, High.VERSION_1)
    void harness.setStatus(AFTER | Status.DRIVER_OK)
    expect(harness.status).toBe(AFTER | Status.DRIVER_OK)
    expect(harness.engine.calls).toEqual(['start'])
  })

  it('loses no bit but in a reset', () => {
    const harness = new Harness()
    harness.negotiate()
    void harness.setStatus(Status.ACKNOWLEDGE)
    expect(harness.status).toBe(AFTER)
    void harness.setStatus(Status.DRIVER_OK)
    expect(harness.status).toBe(AFTER | Status.DRIVER_OK)
  })

  it('is not made to need a reset by the driver', () => {
    const harness = new Harness()
    void harness.setStatus(Status.NEEDS_RESET | Status.ACKNOWLEDGE)
    expect(harness.status).toBe(Status.ACKNOWLEDGE)
  })

  it('starts the queues once', () => {
    const harness = new Harness()
    harness.start()
    void harness.setStatus(harness.status)
    expect(harness.engine.calls).toEqual(['enable 0', 'start'])
  })

  it('stops the queues of a driver that has given up', () => {
    const harness = new Harness()
    harness.start()
    void harness.setStatus(harness.status | Status.FAILED)
    expect(harness.status).toBe(AFTER | Status.DRIVER_OK | Status.FAILED)
    void harness.write(0x3000, 2, 0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'halt'])
  })
})
