import { beforeEach, describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import { VectorSet } from '../src/vector-set.js'

describe('VectorSet', () => {
  let vectors: VectorSet
  let trigger: CountingTrigger
  beforeEach(() => {
    vectors = new VectorSet(70)
    trigger = new CountingTrigger()
    vectors.setOpen(true)
  })

  it('signals a vector that nothing holds back, each time', () => {
    vectors.assign(3, [trigger])
    vectors.raise(3)
    vectors.raise(3)
    expect(trigger.signals).toBe(2)
    expect(vectors.pendingCount).toBe(0)
  })

  it('keeps what was raised before there was a trigger', () => {
    vectors.raise(65)
    expect([...vectors.pendingWords]).toEqual([0, 0, 2, 0])
    vectors.assign(64, [undefined, trigger])
    expect(trigger.signals).toBe(1)
    expect([...vectors.pendingWords]).toEqual([0, 0, 0, 0])
  })

  it('shows the highest bit of a word as pending too', () => {
    vectors.raise(31)
    expect(vectors.pendingWords[0]).toBe(0x8000_0000)
    vectors.assign(31, [trigger])
    expect([trigger.signals, vectors.pendingWords[0]]).toEqual([1, 0])
  })

  it('signals once after it is opened, however often it was raised', () => {
    vectors.assign(0, [trigger])
    vectors.setOpen(false)
    vectors.raise(0)
    vectors.raise(0)
    expect([trigger.signals, vectors.pendingCount]).toEqual([0, 1])
    vectors.setOpen(true)
    expect([trigger.signals, vectors.pendingCount]).toEqual([1, 0])
  })

  it('signals only when the guest and the client both let it', () => {
    vectors.assign(0, [trigger])
    vectors.setGuestMask(0, 1, true)
    vectors.setClientMask(0, 70, true)
    vectors.raise(0)
    vectors.setGuestMask(0, 1, false)
    expect(trigger.signals).toBe(0)
    vectors.setClientMask(0, 70, false)
    expect(trigger.signals).toBe(1)
  })

  it('ignores vectors that do not exist', () => {
    vectors.raise(70)
    vectors.raise(-1)
    expect(vectors.pendingCount).toBe(0)
  })

  it('closes a trigger that is replaced or removed, and keeps one that is assigned again', () => {
    const next = new CountingTrigger()
    vectors.assign(0, [trigger])
    vectors.assign(0, [trigger])
    expect(trigger.closes).toBe(0)
    vectors.assign(0, [next])
    vectors.assign(0, [undefined])
    expect([trigger.closes, next.closes]).toEqual([1, 1])
  })

  it('knows whether any trigger is assigned', () => {
    vectors.assign(0, [undefined, trigger, new CountingTrigger()])
    vectors.assign(1, [undefined])
    expect(vectors.isAssigned).toBe(true)
    vectors.release()
    expect(vectors.isAssigned).toBe(false)
  })

  it('lifts the masks of a client that is gone, not those of the guest', () => {
    vectors.setClientMask(0, 2, true)
    vectors.setGuestMask(1, 1, true)
    vectors.raise(0)
    vectors.raise(1)
    vectors.release()
    const other = new CountingTrigger()
    vectors.assign(0, [trigger, other])
    expect([trigger.signals, other.signals]).toEqual([1, 0])
  })

  it('forgets what is pending when told', () => {
    vectors.raise(5)
    vectors.clearPending()
    vectors.assign(5, [trigger])
    expect(trigger.signals).toBe(0)
  })
})
