import { beforeEach, describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import { InterruptPin } from '../src/interrupt-pin.js'

describe('InterruptPin', () => {
  let pin: InterruptPin
  let trigger: CountingTrigger
  beforeEach(() => {
    pin = new InterruptPin()
    trigger = new CountingTrigger()
    pin.setEnabled(true)
    pin.assign(trigger)
  })

  it('signals a level once until the client unmasks', () => {
    pin.setLevel(true)
    pin.setLevel(false)
    pin.setLevel(true)
    expect(trigger.signals).toBe(1)
    pin.unmask()
    expect(trigger.signals).toBe(2)
  })

  it('has nothing pending when the level was taken back', () => {
    pin.mask()
    pin.setLevel(true)
    pin.setLevel(false)
    pin.unmask()
    expect(trigger.signals).toBe(0)
  })

  it('tells a new trigger of a level that holds', () => {
    const next = new CountingTrigger()
    pin.setLevel(true)
    pin.assign(next)
    expect([trigger.closes, next.signals]).toEqual([1, 1])
  })

  it('signals a level that holds when it is enabled', () => {
    pin.setEnabled(false)
    pin.setLevel(true)
    expect(trigger.signals).toBe(0)
    pin.setEnabled(true)
    expect(trigger.signals).toBe(1)
  })

  it('can be looped back, once for each unmask', () => {
    pin.loopBack()
    pin.loopBack()
    expect(trigger.signals).toBe(1)
    expect(pin.isAsserted).toBe(false)
  })

  it('waits for a trigger', () => {
    pin.assign(undefined)
    pin.setLevel(true)
    pin.assign(trigger)
    expect(trigger.signals).toBe(1)
  })
})
