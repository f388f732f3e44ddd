import { IrqIndex } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { LentInterrupts } from '../../src/host/lent-interrupts.js'
import { fakeLines, fakeTrigger } from './fake-lines.js'

const { INTX, MSIX, ERR } = IrqIndex

describe('interrupts that are lent', () => {
  it("reach the function that is there, which cannot close what is the client's", () => {
    const lent = new LentInterrupts()
    const { lines, calls, triggers } = fakeLines()
    lent.lendTo(lines)
    const trigger = fakeTrigger()
    lent.assign(MSIX, 1, [trigger])
    lent.mask(MSIX, 1, 1)
    lent.unmask(MSIX, 1, 1)
    lent.trigger(MSIX, 1, 1)
    triggers.get('2.1')?.signal()
    triggers.get('2.1')?.close()
    expect(calls).toEqual(['assign 2 1+T', 'mask 2 1+1', 'unmask 2 1+1', 'trigger 2 1+1'])
    expect(trigger).toMatchObject({ signals: 1, closes: 0 })
  })

  it('go to the next function as the client set them up, masks first', () => {
    const lent = new LentInterrupts()
    const [first, second] = [fakeLines(), fakeLines()]
    lent.lendTo(first.lines)
    const [one, other, error] = [fakeTrigger(), fakeTrigger(), fakeTrigger()]
    lent.assign(MSIX, 0, [one, undefined, other])
    lent.assign(ERR, 0, [error])
    lent.mask(MSIX, 2, 1)
    lent.takeBack()
    lent.lendTo(second.lines)
    expect(second.calls).toEqual(['mask 2 2+1', 'assign 2 0+T-T', 'assign 3 0+T'])
    first.triggers.get('2.0')?.signal()
    second.triggers.get('2.0')?.signal()
    expect(one.signals).toBe(1)
  })

  it('take what a client sets up while no function is there', () => {
    const lent = new LentInterrupts()
    lent.lendTo(fakeLines().lines)
    lent.takeBack()
    const [first, second] = [fakeTrigger(), fakeTrigger()]
    lent.assign(MSIX, 0, [first])
    lent.assign(MSIX, 0, [second])
    const { lines, triggers } = fakeLines()
    lent.lendTo(lines)
    triggers.get('2.0')?.signal()
    expect([first.closes, first.signals, second.signals]).toEqual([1, 0, 1])
    lent.assign(MSIX, 0, [undefined])
    expect(second.closes).toBe(1)
  })

  it("do not tell a pin's level to a client that has not served it yet", () => {
    const lent = new LentInterrupts()
    const first = fakeLines()
    lent.lendTo(first.lines)
    const trigger = fakeTrigger()
    lent.assign(INTX, 0, [trigger])
    first.triggers.get('0.0')?.signal()
    const second = fakeLines()
    const { assign } = second.lines
    second.lines.assign = (index, start, given) => {
      assign(index, start, given)
      // As a pin whose level holds does.
      given[0]?.signal()
    }
    lent.takeBack()
    lent.lendTo(second.lines)
    expect(trigger.signals).toBe(1)
    expect(second.calls).toEqual(['mask 0 0+1', 'assign 0 0+T', 'mask 0 0+1'])
    lent.unmask(INTX, 0, 1)
    lent.takeBack()
    lent.lendTo(second.lines)
    expect(trigger.signals).toBe(2)
  })

  it('are closed when the client goes', () => {
    const lent = new LentInterrupts()
    const { lines, calls } = fakeLines()
    lent.lendTo(lines)
    const trigger = fakeTrigger()
    lent.assign(MSIX, 0, [trigger])
    lent.mask(MSIX, 0, 1)
    lent.release()
    expect(trigger.closes).toBe(1)
    const next = fakeLines()
    lent.lendTo(next.lines)
    expect([calls.at(-1), next.calls]).toEqual(['release', []])
  })
})
