import { IrqIndex, RegionIndex } from '@pcikit/core'
import type { Interrupts, PciFunction } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  CapabilityId,
  ConfigRegister,
  DeviceCapabilities,
  DeviceControl,
  MsixControl,
  PciCommand,
  PciStatus,
  Pmcsr
} from '../pci/config-layout.js'
import { ConfigProbe, CountingTrigger } from './config-probe.js'

/** A function, and what the suite needs to see of its surroundings. */
export interface PciFunctionUnderTest {
  readonly function: PciFunction
  /** The last value that the function gave to its `BusMasterSwitch`; false before the first. */
  isBusMaster(): boolean
  /** The device's side of its interrupts. Without it the suite cannot raise any, and skips what depends on that. */
  readonly interrupts?: Interrupts
  close?(): Promise<void>
}

/** How the suite obtains a function in the state of power-on. */
export interface PciFunctionFixture {
  create(): PciFunctionUnderTest | Promise<PciFunctionUnderTest>
}

const D0 = 0
const D3HOT = 3

/** Checks what `PciFunction` and [PCIe] ask of every function. One call is a device's whole compliance test. */
export function describePciFunction (name: string, fixture: PciFunctionFixture): void {
  describe(`${name} as PciFunction`, () => {
    describeConfigSpace(fixture)
    describeResets(fixture)
    describeMessages(fixture)
    describeIntx(fixture)
  })
}

/** The function of the test that runs, made anew for each. */
function useFunction (
  fixture: PciFunctionFixture
): { readonly now: PciFunctionUnderTest, readonly probe: ConfigProbe } {
  const current: { now: PciFunctionUnderTest, probe: ConfigProbe } = {
    now: undefined as never,
    probe: undefined as never
  }
  beforeEach(async () => {
    current.now = await fixture.create()
    current.probe = new ConfigProbe(current.now.function)
  })
  afterEach(async () => {
    await current.now.close?.()
  })
  return current
}

function describeConfigSpace (fixture: PciFunctionFixture): void {
  describe('configuration space', () => {
    const test = useFunction(fixture)

    it('has 256 or 4096 bytes', () => {
      expect([256, 4096]).toContain(test.now.function.region(RegionIndex.CONFIG).byteLength)
    })

    it('has a vendor, and a type 0 header', async () => {
      expect(await test.probe.read(ConfigRegister.VENDOR_ID, 2)).not.toBe(0xffff)
      expect(await test.probe.read(ConfigRegister.HEADER_TYPE, 1) & 0x7f).toBe(0)
    })

    it('reads the same at any width', async () => {
      expect(await test.probe.snapshot()).toEqual(await test.probe.bytes())
    })

    it('keeps who it is when written', async () => {
      const identify = async () => [
        await test.probe.read(ConfigRegister.VENDOR_ID, 4),
        await test.probe.read(ConfigRegister.REVISION_ID, 4),
        await test.probe.read(ConfigRegister.SUBSYSTEM_VENDOR_ID, 4),
        await test.probe.read(ConfigRegister.INTERRUPT_PIN, 1)
      ]
      const before = await identify()
      await test.probe.writeOnesEverywhere()
      expect(await identify()).toEqual(before)
    })

    it('tells the size of each BAR as the regions have it', async () => {
      expect(await test.probe.sizeBars()).toEqual(test.probe.barRegions())
    })

    it('changes only the bytes written', async () => {
      await test.probe.write(ConfigRegister.INTERRUPT_LINE, 1, 0x5a)
      await test.probe.write(ConfigRegister.COMMAND, 1, PciCommand.MEMORY_SPACE.mask)
      await test.probe.write(ConfigRegister.COMMAND + 1, 1, 0)
      expect(await test.probe.read(ConfigRegister.INTERRUPT_LINE, 1)).toBe(0x5a)
      expect(await test.probe.read(ConfigRegister.COMMAND, 2)).toBe(PciCommand.MEMORY_SPACE.mask)
    })

    it('has a list of capabilities that ends', async () => {
      const { offsets, end } = await test.probe.capabilities()
      const status = await test.probe.read(ConfigRegister.STATUS, 2)
      expect(end).toBe(0)
      expect(PciStatus.CAPABILITIES.isSet(status)).toBe(offsets.size > 0)
    })

    it('has a list of capabilities that still ends after everything was written', async () => {
      await test.probe.writeOnesEverywhere()
      expect((await test.probe.capabilities()).end).toBe(0)
    })

    it('has a list of extended capabilities that ends', async ({ skip }) => {
      skip(test.now.function.region(RegionIndex.CONFIG).byteLength < 4096, 'no extended configuration space')
      expect(await test.probe.extendedEnd()).toBe(0)
    })
  })
}

function describeResets (fixture: PciFunctionFixture): void {
  describe('bus mastering and resets', () => {
    const test = useFunction(fixture)
    const enable = () => test.probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask)

    it('starts with bus mastering off', async () => {
      expect(PciCommand.BUS_MASTER.isSet(await test.probe.read(ConfigRegister.COMMAND, 2))).toBe(false)
      expect(test.now.isBusMaster()).toBe(false)
    })

    it('follows Bus Master Enable', async () => {
      await enable()
      expect(test.now.isBusMaster()).toBe(true)
      await test.probe.write(ConfigRegister.COMMAND, 2, 0)
      expect(test.now.isBusMaster()).toBe(false)
    })

    it('restores every register in a reset, and stops bus mastering', async () => {
      const before = await test.probe.snapshot()
      await enable()
      await test.probe.writeOnesEverywhere()
      await test.now.function.reset()
      expect(test.now.isBusMaster()).toBe(false)
      expect(await test.probe.snapshot()).toEqual(before)
    })

    it('stops bus mastering at once when a reset begins', async () => {
      await enable()
      const done = test.now.function.reset()
      expect(test.now.isBusMaster()).toBe(false)
      await done
    })

    it('can be used after resets that overlap', async () => {
      await Promise.all([test.now.function.reset(), test.now.function.reset()])
      await enable()
      expect(test.now.isBusMaster()).toBe(true)
    })

    it('is reset by a function-level reset', async ({ skip }) => {
      const express = await test.probe.find(CapabilityId.PCI_EXPRESS) ?? 0
      skip(express === 0 || !DeviceCapabilities.FLR.isSet(await test.probe.read(express + 4, 4)), 'no FLR')
      await enable()
      await test.probe.write(ConfigRegister.INTERRUPT_LINE, 1, 0x11)
      const control = await test.probe.read(express + 8, 2)
      await test.probe.write(express + 8, 2, DeviceControl.INITIATE_FLR.set(control, 1))
      expect(test.now.isBusMaster()).toBe(false)
      expect(await test.probe.read(ConfigRegister.COMMAND, 2)).toBe(0)
      expect(await test.probe.read(ConfigRegister.INTERRUPT_LINE, 1)).toBe(0)
      expect(DeviceControl.INITIATE_FLR.isSet(await test.probe.read(express + 8, 2))).toBe(false)
    })

    it('reaches no memory and answers at no BAR in D3hot', async ({ skip }) => {
      const power = await test.probe.find(CapabilityId.POWER_MANAGEMENT) ?? 0
      skip(power === 0, 'no power management')
      const vendor = await test.probe.read(ConfigRegister.VENDOR_ID, 2)
      await enable()
      await test.probe.write(power + 4, 2, D3HOT)
      const answers = test.probe.barRegions().map(({ index }) => test.probe.read(0, 4, index))
      expect(test.now.isBusMaster()).toBe(false)
      expect(new Set(await Promise.all(answers))).toEqual(new Set(answers.length === 0 ? [] : [0xffff_ffff]))
      expect(await test.probe.read(ConfigRegister.VENDOR_ID, 2)).toBe(vendor)
    })

    it('comes back from D3hot the way No_Soft_Reset says', async ({ skip }) => {
      const power = await test.probe.find(CapabilityId.POWER_MANAGEMENT) ?? 0
      skip(power === 0, 'no power management')
      const keeps = Pmcsr.NO_SOFT_RESET.isSet(await test.probe.read(power + 4, 2))
      await enable()
      await test.probe.write(power + 4, 2, D3HOT)
      await test.probe.write(power + 4, 2, D0)
      expect(Pmcsr.POWER_STATE.get(await test.probe.read(power + 4, 2))).toBe(D0)
      expect(PciCommand.BUS_MASTER.isSet(await test.probe.read(ConfigRegister.COMMAND, 2))).toBe(keeps)
      expect(test.now.isBusMaster()).toBe(keeps)
    })
  })
}

function describeMessages (fixture: PciFunctionFixture): void {
  describe('MSI-X', () => {
    const test = useFunction(fixture)
    const trigger = { current: new CountingTrigger() }
    const vectors = () => test.now.function.interrupts.info(IrqIndex.MSIX).count
    const control = (value: number) =>
      test.probe.find(CapabilityId.MSIX).then(at => test.probe.write((at ?? 0) + 2, 2, value))
    const ENABLE = MsixControl.ENABLE.mask

    beforeEach(async ({ skip }) => {
      skip(vectors() === 0, 'no MSI-X')
      skip(test.now.interrupts === undefined, 'the fixture cannot raise interrupts')
      trigger.current = new CountingTrigger()
      test.now.function.interrupts.assign(IrqIndex.MSIX, 0, [trigger.current])
      await test.probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask)
    })

    it('offers as many vectors to the client as to the driver', async () => {
      const capability = await test.probe.find(CapabilityId.MSIX) ?? 0
      expect(MsixControl.TABLE_SIZE.get(await test.probe.read(capability + 2, 2)) + 1).toBe(vectors())
    })

    it('is the mode once enabled, with every vector', async () => {
      await control(ENABLE)
      expect(test.now.interrupts?.mode).toBe('msix')
      expect(test.now.interrupts?.vectorCount).toBe(vectors())
    })

    it('signals although nobody wrote the table, as clients do that keep it to themselves', async () => {
      await control(ENABLE)
      test.now.interrupts?.trigger(0)
      expect(trigger.current.signals).toBe(1)
    })

    it('holds back while the function is masked, and signals once after', async () => {
      await control(ENABLE | MsixControl.FUNCTION_MASK.mask)
      test.now.interrupts?.trigger(0)
      test.now.interrupts?.trigger(0)
      expect(trigger.current.signals).toBe(0)
      await control(ENABLE)
      expect(trigger.current.signals).toBe(1)
    })

    it('obeys the mask bit of a table that is written, and shows what is pending', async () => {
      await control(ENABLE)
      const { table, pendingBits } = await test.probe.msixPlaces()
      await test.probe.write(table.offset + 12, 4, 1, table.region)
      test.now.interrupts?.trigger(0)
      expect(trigger.current.signals).toBe(0)
      expect(await test.probe.read(pendingBits.offset, 4, pendingBits.region)).toBe(1)
      await test.probe.write(table.offset + 12, 4, 0, table.region)
      expect(trigger.current.signals).toBe(1)
      expect(await test.probe.read(pendingBits.offset, 4, pendingBits.region)).toBe(0)
    })

    it('sends no message while bus mastering is off', async () => {
      await control(ENABLE)
      await test.probe.write(ConfigRegister.COMMAND, 2, 0)
      test.now.interrupts?.trigger(0)
      expect(trigger.current.signals).toBe(0)
    })

    it('forgets what is pending in a reset', async () => {
      await control(ENABLE | MsixControl.FUNCTION_MASK.mask)
      test.now.interrupts?.trigger(0)
      await test.now.function.reset()
      await test.probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask)
      await control(ENABLE)
      expect(trigger.current.signals).toBe(0)
    })

    it('closes a trigger that is replaced, and all when the client goes', () => {
      const next = new CountingTrigger()
      test.now.function.interrupts.assign(IrqIndex.MSIX, 0, [next])
      expect([trigger.current.closes, next.closes]).toEqual([1, 0])
      test.now.function.interrupts.release()
      expect([trigger.current.closes, next.closes]).toEqual([1, 1])
    })
  })
}

function describeIntx (fixture: PciFunctionFixture): void {
  describe('INTx', () => {
    const test = useFunction(fixture)
    const trigger = { current: new CountingTrigger() }
    const isPending = async () => PciStatus.INTERRUPT.isSet(await test.probe.read(ConfigRegister.STATUS, 2))

    beforeEach(({ skip }) => {
      skip(test.now.function.interrupts.info(IrqIndex.INTX).count === 0, 'no INTx pin')
      skip(test.now.interrupts === undefined, 'the fixture cannot raise interrupts')
      trigger.current = new CountingTrigger()
      test.now.function.interrupts.assign(IrqIndex.INTX, 0, [trigger.current])
    })

    it('shows its level as Interrupt Status', async () => {
      test.now.interrupts?.setIntx(true)
      expect(await isPending()).toBe(true)
      test.now.interrupts?.setIntx(false)
      expect(await isPending()).toBe(false)
    })

    it('signals once for a level, and again after each unmask while it holds', () => {
      test.now.interrupts?.setIntx(true)
      test.now.interrupts?.setIntx(true)
      expect(trigger.current.signals).toBe(1)
      test.now.function.interrupts.unmask(IrqIndex.INTX, 0, 1)
      expect(trigger.current.signals).toBe(2)
      test.now.interrupts?.setIntx(false)
      test.now.function.interrupts.unmask(IrqIndex.INTX, 0, 1)
      expect(trigger.current.signals).toBe(2)
    })

    it('is silent while Interrupt Disable is set, and signals a level that still holds after', async () => {
      await test.probe.write(ConfigRegister.COMMAND, 2, PciCommand.INTERRUPT_DISABLE.mask)
      test.now.interrupts?.setIntx(true)
      expect(trigger.current.signals).toBe(0)
      expect(await isPending()).toBe(true)
      await test.probe.write(ConfigRegister.COMMAND, 2, 0)
      expect(trigger.current.signals).toBe(1)
    })

    it('is low after a reset', async () => {
      test.now.interrupts?.setIntx(true)
      await test.now.function.reset()
      expect(await isPending()).toBe(false)
    })
  })
}
