import { IrqIndex } from '@pcikit/core'
import type { InterruptLines } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import { createFunction } from './services.js'
import type { RecordingServices } from './services.js'

let lines: InterruptLines
let services: RecordingServices
let trigger: CountingTrigger
beforeEach(() => {
  const created = createFunction()
  lines = created.pci.interrupts
  services = created.services
  trigger = new CountingTrigger()
})

const kinds = Object.values(IrqIndex)

describe('ClientInterrupts', () => {
  it('tells how many vectors of each kind there are', () => {
    expect(kinds.map(index => lines.info(index).count)).toEqual([1, 8, 70, 1, 1])
    const { interrupts } = createFunction({ interrupts: {} }).pci
    expect(kinds.map(index => interrupts.info(index).count)).toEqual([0, 0, 0, 1, 1])
  })

  it('masks by itself only INTx', () => {
    expect(kinds.map(index => lines.info(index).automasked)).toEqual([true, false, false, false, false])
    expect(kinds.map(index => lines.info(index).maskable)).toEqual([true, true, true, false, false])
  })

  it('records what is assigned', () => {
    lines.assign(IrqIndex.MSIX, 4, [trigger, undefined])
    expect(services.events).toEqual([{ type: 'interrupts', index: 2, start: 4, count: 2 }])
  })

  it.each(kinds)('signals kind %i back, replaces and closes its trigger', index => {
    const next = new CountingTrigger()
    lines.assign(index, 0, [trigger])
    lines.trigger(index, 0, 1)
    lines.assign(index, 0, [next])
    lines.trigger(index, 0, 1)
    lines.release()
    lines.trigger(index, 0, 1)
    expect([trigger.signals, trigger.closes, next.signals, next.closes]).toEqual([1, 1, 1, 1])
  })

  it('forgets a line whose trigger is removed', () => {
    lines.assign(IrqIndex.ERR, 0, [trigger])
    lines.assign(IrqIndex.ERR, 0, [undefined])
    lines.trigger(IrqIndex.ERR, 0, 1)
    expect([trigger.signals, trigger.closes]).toEqual([0, 1])
  })

  it('masks and unmasks ranges of vectors', () => {
    const { pci } = createFunction()
    const triggers = [new CountingTrigger(), new CountingTrigger()]
    pci.config.write(0x04, 4)
    pci.interrupts.assign(IrqIndex.MSIX, 0, triggers)
    pci.interrupts.mask(IrqIndex.MSIX, 1, 1)
    pci.deviceInterrupts.trigger(0)
    pci.deviceInterrupts.trigger(1)
    expect(triggers.map(({ signals }) => signals)).toEqual([1, 0])
    pci.interrupts.unmask(IrqIndex.MSIX, 0, 2)
    expect(triggers.map(({ signals }) => signals)).toEqual([1, 1])
  })

  it('masks INTx', () => {
    const { pci } = createFunction()
    pci.interrupts.assign(IrqIndex.INTX, 0, [trigger])
    pci.interrupts.mask(IrqIndex.INTX, 0, 1)
    pci.deviceInterrupts.setIntx(true)
    expect(trigger.signals).toBe(0)
    pci.interrupts.unmask(IrqIndex.INTX, 0, 1)
    expect(trigger.signals).toBe(1)
  })
})
