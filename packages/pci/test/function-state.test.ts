import { IrqIndex, RegionIndex } from '@pcikit/core'
import type { PciFunction } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { CountingTrigger } from '../../testkit/src/compliance/config-probe.js'
import type { DescribedPciFunction, PciDescription } from '../src/index.js'
import { createFunction, everything, RecordingServices } from './services.js'

const COMMAND = 0x04
const MEMORY_AND_BUS_MASTER = 0x6
const BAR0 = 0x10
const PMCSR = 0x44
const D3HOT = 3
const MSIX_TABLE = 0x2000
const MSI_ENABLE = 1 << 16
const MSIX_ENABLE = 0x8000_0000

function write (pci: PciFunction, offset: number, value: number, region: RegionIndex = RegionIndex.CONFIG): void {
  void pci.writeRegion(region, offset, new DataView(Uint32Array.of(value).buffer), 0, 4)
}

function read (pci: PciFunction, offset: number, region: RegionIndex = RegionIndex.CONFIG): number {
  const view = new DataView(new ArrayBuffer(4))
  void pci.readRegion(region, offset, view, 0, 4)
  return view.getUint32(0, true)
}

/** Enables MSI or MSI-X, wherever its capability is. */
function enable (pci: DescribedPciFunction, name: 'MSI' | 'MSIX', bits: number): void {
  const id = name === 'MSI' ? 0x05 : 0x11
  let at = read(pci, 0x34) & 0xff
  while ((read(pci, at) & 0xff) !== id) at = read(pci, at) >>> 8 & 0xff
  write(pci, at, bits)
}

/** A function that goes on from another one, across a copy as a host makes it. */
function restored (from: DescribedPciFunction, parts: Partial<PciDescription> = {}) {
  const services = new RecordingServices()
  const { pci } = createFunction(parts, services)
  services.log.length = 0
  pci.restore(structuredClone(from.save()))
  return { pci, services }
}

describe('a function that goes on from another one', () => {
  it('has its configuration space and bus mastering, and resets nobody', () => {
    const { pci: old } = createFunction()
    write(old, COMMAND, MEMORY_AND_BUS_MASTER)
    write(old, BAR0, 0xfebc_0000)
    const { pci, services } = restored(old)
    expect([read(pci, COMMAND) & 0xffff, read(pci, BAR0)]).toEqual([MEMORY_AND_BUS_MASTER, 0xfebc_000c])
    expect(services.log).toEqual(['bus master on'])
    for (let offset = 0; offset < 0x100; offset += 4) expect(read(pci, offset)).toBe(read(old, offset))
  })

  it('says who it is itself, and keeps what both have', () => {
    const { pci: old } = createFunction()
    write(old, BAR0, 0xfebc_0000)
    write(old, COMMAND, MEMORY_AND_BUS_MASTER)
    const { pci } = restored(old, {
      identity: { ...everything.identity, deviceId: 0x4711 },
      capabilities: [],
      extendedCapabilities: [],
      interrupts: { intxPin: 2 }
    })
    expect(read(pci, 0)).toBe(0x4711_1b36)
    expect([read(pci, COMMAND), read(pci, BAR0)]).toEqual([MEMORY_AND_BUS_MASTER, 0xfebc_000c])
    expect(read(pci, 0x3c) >>> 8 & 0xff).toBe(2)
  })

  it('has the messages of MSI-X that are due, and the table', () => {
    const { pci: old } = createFunction()
    enable(old, 'MSIX', MSIX_ENABLE)
    write(old, MSIX_TABLE, 0xfee0_0000, RegionIndex.BAR0)
    write(old, MSIX_TABLE + 12, 0, RegionIndex.BAR0)
    for (const vector of [0, 1, 69]) old.deviceInterrupts.trigger(vector)
    const { pci } = restored(old)
    const triggers = [new CountingTrigger(), new CountingTrigger()]
    pci.interrupts.assign(IrqIndex.MSIX, 0, triggers)
    expect(triggers.map(({ signals }) => signals)).toEqual([0, 0])
    write(pci, COMMAND, MEMORY_AND_BUS_MASTER)
    // The second vector is masked in the table.
    expect(triggers.map(({ signals }) => signals)).toEqual([1, 0])
    expect(read(pci, MSIX_TABLE, RegionIndex.BAR0)).toBe(0xfee0_0000)
    write(pci, MSIX_TABLE + 28, 0, RegionIndex.BAR0)
    expect(triggers.map(({ signals }) => signals)).toEqual([1, 1])
    expect(pci.save()['interrupts']).toMatchObject({ msix: [0, 0, 1 << 5, 0] })
  })

  it('leaves the masks of an MSI-X table alone that nobody wrote', () => {
    const { pci: old } = createFunction()
    enable(old, 'MSIX', MSIX_ENABLE)
    write(old, COMMAND, MEMORY_AND_BUS_MASTER)
    const { pci } = restored(old)
    const trigger = new CountingTrigger()
    pci.interrupts.assign(IrqIndex.MSIX, 0, [trigger])
    pci.deviceInterrupts.trigger(0)
    expect(trigger.signals).toBe(1)
  })

  it('has the messages of MSI that are masked', () => {
    const { pci: old } = createFunction()
    enable(old, 'MSI', MSI_ENABLE)
    old.config.set('MSI.MASK', 1)
    write(old, COMMAND, MEMORY_AND_BUS_MASTER)
    old.deviceInterrupts.trigger(0)
    const { pci } = restored(old)
    expect(pci.deviceInterrupts.mode).toBe('msi')
    const trigger = new CountingTrigger()
    pci.interrupts.assign(IrqIndex.MSI, 0, [trigger])
    pci.deviceInterrupts.trigger(0)
    expect(trigger.signals).toBe(0)
  })

  it('holds the level of the pin', () => {
    const { pci: old } = createFunction()
    old.deviceInterrupts.setIntx(true)
    const { pci } = restored(old)
    const trigger = new CountingTrigger()
    pci.interrupts.assign(IrqIndex.INTX, 0, [trigger])
    expect(trigger.signals).toBe(1)
    expect(read(pci, COMMAND) & 1 << 19).not.toBe(0)
  })

  it('sleeps where that one slept, which its device is told', () => {
    const { pci: old } = createFunction()
    write(old, COMMAND, MEMORY_AND_BUS_MASTER)
    write(old, PMCSR, D3HOT)
    const { pci, services } = restored(old)
    expect(pci.powerState).toBe('D3hot')
    expect(services.log).toEqual(['D3hot'])
  })

  it.each([{}, { config: {} }, { config: 1, interrupts: {} }])('refuses a state that is none: %j', state => {
    const { pci } = createFunction()
    expect(() => pci.restore(state)).toThrow(TypeError)
  })
})
