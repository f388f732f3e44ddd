import { IrqIndex, RegionIndex } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import type { DescribedPciFunction, PciDescription } from '../src/index.js'
import { createFunction } from './services.js'

let pci: DescribedPciFunction
let trigger: CountingTrigger

/** Creates a function with the given interrupts and nothing else: MSI is at 40h, MSI-X at 58h, or at 40h alone. */
function create (interrupts: PciDescription['interrupts'] = {}): void {
  pci = createFunction({ interrupts, capabilities: [], extendedCapabilities: [] }).pci
  write(0x04, 0x4)
}

function write (offset: number, value: number, count = 2, region: RegionIndex = RegionIndex.CONFIG): void {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, value, true)
  void pci.writeRegion(region, offset, view, 0, count)
}

function read (offset: number, region: RegionIndex = RegionIndex.CONFIG): number {
  const view = new DataView(new ArrayBuffer(4))
  void pci.readRegion(region, offset, view, 0, 4)
  return view.getUint32(0, true)
}

const modeAndCount = () => [pci.deviceInterrupts.mode, pci.deviceInterrupts.vectorCount]
const msix = { vectors: 3, tableBar: 2, tableOffset: 0 }
const MSI_ENABLE = 1
const MSIX_ENABLE = 0x8000
const FOUR_VECTORS = 2 << 4

beforeEach(() => {
  trigger = new CountingTrigger()
})

describe('the mode of interrupts', () => {
  it('is none without any, and the pin where there is one', () => {
    create()
    expect(modeAndCount()).toEqual(['none', 0])
    create({ intxPin: 2 })
    expect(modeAndCount()).toEqual(['intx', 1])
  })

  it('is what the driver enables, MSI-X before MSI', () => {
    create({ intxPin: 1, msi: { vectors: 8 }, msix })
    write(0x42, MSI_ENABLE | FOUR_VECTORS)
    expect(modeAndCount()).toEqual(['msi', 4])
    write(0x5a, MSIX_ENABLE)
    expect(modeAndCount()).toEqual(['msix', 3])
    write(0x5a, 0)
    write(0x42, 0)
    expect(modeAndCount()).toEqual(['intx', 1])
  })

  it('never allots more MSI vectors than were asked for', () => {
    create({ msi: { vectors: 2 } })
    write(0x42, MSI_ENABLE | 5 << 4)
    expect(modeAndCount()).toEqual(['msi', 2])
  })

  it('is what the client assigned triggers for, where nothing is enabled', () => {
    create({ intxPin: 1, msi: { vectors: 2 }, msix })
    pci.interrupts.assign(IrqIndex.MSI, 0, [trigger])
    expect(modeAndCount()).toEqual(['msi', 2])
    pci.interrupts.assign(IrqIndex.MSIX, 1, [trigger])
    expect(modeAndCount()).toEqual(['msix', 3])
    pci.interrupts.release()
    expect(modeAndCount()).toEqual(['intx', 1])
  })

  it('takes what is pending with it when it changes', () => {
    create({ msi: { vectors: 1 }, msix })
    write(0x5a, MSIX_ENABLE)
    pci.deviceInterrupts.trigger(0)
    write(0x5a, 0)
    pci.interrupts.assign(IrqIndex.MSIX, 0, [trigger])
    write(0x5a, MSIX_ENABLE)
    expect(trigger.signals).toBe(0)
  })
})

describe('messages', () => {
  it('wait for bus mastering, and go out when it is back', () => {
    create({ msix })
    write(0x42, MSIX_ENABLE)
    pci.interrupts.assign(IrqIndex.MSIX, 0, [trigger])
    write(0x04, 0)
    pci.deviceInterrupts.trigger(0)
    expect([trigger.signals, read(0x30, RegionIndex.BAR2)]).toEqual([0, 1])
    write(0x04, 0x4)
    expect([trigger.signals, read(0x30, RegionIndex.BAR2)]).toEqual([1, 0])
  })

  it('wait for the trigger of a vector that the guest unmasks later', () => {
    create({ msix })
    write(0x42, MSIX_ENABLE)
    pci.interrupts.assign(IrqIndex.MSIX, 0, [undefined])
    pci.deviceInterrupts.trigger(2)
    pci.interrupts.assign(IrqIndex.MSIX, 2, [trigger])
    expect(trigger.signals).toBe(1)
  })

  it('obey the mask bits of MSI, and show there what is pending', () => {
    create({ msi: { vectors: 4 } })
    write(0x42, MSI_ENABLE | FOUR_VECTORS)
    pci.interrupts.assign(IrqIndex.MSI, 1, [trigger])
    write(0x50, 0b0010, 4)
    pci.deviceInterrupts.trigger(1)
    expect([trigger.signals, read(0x54)]).toEqual([0, 0b0010])
    write(0x50, 0, 4)
    expect([trigger.signals, read(0x54)]).toEqual([1, 0])
  })

  it('fold onto the vectors that MSI was allotted', () => {
    create({ msi: { vectors: 8, maskable: false } })
    write(0x42, MSI_ENABLE | FOUR_VECTORS)
    pci.interrupts.assign(IrqIndex.MSI, 0, [undefined, trigger])
    pci.deviceInterrupts.trigger(5)
    expect(trigger.signals).toBe(1)
  })

  it('are not sent by a function whose driver chose the pin', () => {
    create({ intxPin: 1, msix })
    pci.deviceInterrupts.trigger(0)
    pci.interrupts.assign(IrqIndex.MSIX, 0, [trigger])
    expect(trigger.signals).toBe(0)
  })

  it('keep their triggers through a reset, as a guest expects after FLR', async () => {
    create({ msix })
    pci.interrupts.assign(IrqIndex.MSIX, 0, [trigger])
    await pci.reset()
    write(0x04, 0x4)
    write(0x42, MSIX_ENABLE)
    pci.deviceInterrupts.trigger(0)
    expect([trigger.signals, trigger.closes]).toEqual([1, 0])
  })
})

describe('the pin', () => {
  it('is silent while messages are enabled, and tells what still holds afterwards', () => {
    create({ intxPin: 1, msi: { vectors: 1 } })
    pci.interrupts.assign(IrqIndex.INTX, 0, [trigger])
    write(0x42, MSI_ENABLE)
    pci.deviceInterrupts.setIntx(true)
    expect([trigger.signals, read(0x04) & 1 << 19]).toEqual([0, 1 << 19])
    write(0x42, 0)
    expect(trigger.signals).toBe(1)
  })

  it('does not need bus mastering', () => {
    create({ intxPin: 1 })
    write(0x04, 0)
    pci.interrupts.assign(IrqIndex.INTX, 0, [trigger])
    pci.deviceInterrupts.setIntx(true)
    expect(trigger.signals).toBe(1)
  })
})
