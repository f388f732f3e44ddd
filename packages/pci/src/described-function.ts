import { REGION_COUNT, RegionIndex } from '@pcikit/core'
import type { DeviceState, InterruptLines, Interrupts, PciFunction, RegionInfo } from '@pcikit/core'
import { Bar, words } from './bar.js'
import type { BarOverlay } from './bar.js'
import { placeMsix } from './capabilities/msix.js'
import { DEVICE_CONTROL, DeviceControl } from './capabilities/pci-express.js'
import { Pmcsr, POWER_MANAGEMENT_STATUS, PowerStateValue } from './capabilities/power-management.js'
import { ClientInterrupts } from './client-interrupts.js'
import { ConfigSpace } from './config-space.js'
import type { ConfigRegisters } from './config-space.js'
import type { PciDescription, PciServices, PowerState, ResetCause } from './description.js'
import { FunctionInterrupts } from './function-interrupts.js'
import { Command, romByteLength } from './header.js'
import { parseFunctionState } from './function-state.js'
import type { FunctionState } from './function-state.js'
import { assertLayout } from './layout.js'
import { MsixTable } from './msix-table.js'

/** A PCI function made by {@link createPciFunction}: what a client sees, and what its device uses. */
export interface DescribedPciFunction extends PciFunction {
  /** The device's side of the interrupts. */
  readonly deviceInterrupts: Interrupts
  /** The configuration space by name of register, for capabilities of one's own. */
  readonly config: ConfigRegisters
  readonly powerState: PowerState
  /**
   * Holds back the answer to the write of configuration space that is under way until `work` ended. For hooks of
   * `config`, which have to return at once.
   */
  settleAfter(work: Promise<void>): void
  /**
   * Stops DMA and interrupts, has the device reset itself, waits until no transfer is left. A client's reset gives
   * every register its value of power-on; the others leave sticky bits. A device calls it with cause 'device'.
   */
  reset(cause?: ResetCause): Promise<void>
  /** Configuration space by name of register, the MSI-X table, the power state, and what is due of interrupts. */
  save(): DeviceState
  /**
   * Takes over what a function of this package saved, described like this one or otherwise: registers and bits that
   * both have, see `RegisterBank.restore`. Bus mastering and power state follow; no hook of `config` is called.
   */
  restore(state: DeviceState): void
}

/**
 * Makes a PCI function of its description. Throws PCIKIT_PCI_LAYOUT_INVALID for one that cannot be.
 *
 * @example
 * const pci = createPciFunction({
 *   identity: { vendorId: 0x1b36, deviceId: 0x0010, classCode: 0x01_08_02 },
 *   bars: [{ index: 0, kind: 'memory64', byteLength: 0x4000, handler }],
 *   interrupts: { intxPin: 1, msix: { vectors: 16, tableBar: 0, tableOffset: 0x2000 } },
 *   capabilities: [powerManagement(), pciExpress()]
 * }, { dma, busMaster, recorder, logger, onReset: () => controller.reset() })
 */
export function createPciFunction (description: PciDescription, services: PciServices): DescribedPciFunction {
  assertLayout(description)
  return new ConfiguredFunction(description, services)
}

class ConfiguredFunction implements DescribedPciFunction {
  readonly interrupts: InterruptLines
  readonly deviceInterrupts: Interrupts
  readonly config: ConfigRegisters
  readonly #services: PciServices
  readonly #configSpace: ConfigSpace
  readonly #interrupts: FunctionInterrupts
  readonly #msixTable: MsixTable | undefined
  /** By region index, ROM included. */
  readonly #bars: readonly (Bar | undefined)[]
  readonly #regions: readonly RegionInfo[]
  #powerState: PowerState = 'D0'
  /** How many resets are under way. */
  #resetCount = 0
  #isBusMaster = false
  /** The end of what a write to the configuration space set off, until that write returns. */
  #settled: Promise<void> | undefined
  /** The end of the last reset. */
  #lastReset: Promise<void> = Promise.resolve()

  constructor (description: PciDescription, services: PciServices) {
    this.#services = services
    this.#configSpace = new ConfigSpace(description)
    this.config = this.#configSpace.registers
    this.#interrupts = new FunctionInterrupts(description.interrupts ?? {}, this.#configSpace)
    this.interrupts = new ClientInterrupts(this.#interrupts, services.recorder)
    this.deviceInterrupts = this.#interrupts
    this.#msixTable = this.#interrupts.msix === undefined ? undefined : new MsixTable(this.#interrupts.msix)
    this.#bars = this.#createBars(description)
    this.#regions = createRegions(description, this.#configSpace.byteLength)
    services.busMaster.setBusMaster(false)
    this.config.onWrite('COMMAND_STATUS', () => this.#applyCommand())
    if (this.#configSpace.has(DEVICE_CONTROL)) this.config.onWrite(DEVICE_CONTROL, value => this.#controlDevice(value))
    if (this.#configSpace.has(POWER_MANAGEMENT_STATUS)) {
      this.config.onWrite(POWER_MANAGEMENT_STATUS, (value, previous) => this.#controlPower(value, previous))
    }
  }

  get powerState (): PowerState {
    return this.#powerState
  }

  region (index: RegionIndex): RegionInfo {
    return this.#regions[index]!
  }

  /**
   * Memory Space Enable and I/O Space Enable are kept, but gate nothing: whoever sends an access to a region has
   * decoded it already. QEMU does not decode a BAR while the bit is clear; SPDK's initiator never sets it and expects
   * answers. In D3hot a function does not answer, so BARs read as ones and ignore writes.
   */
  readRegion (index: RegionIndex, offset: number, target: DataView, position: number, count: number): void {
    if (index === RegionIndex.CONFIG) {
      this.#interrupts.publish()
      this.#configSpace.read(offset, target, position, count)
      return
    }
    const bar = this.#bars[index]
    if (bar !== undefined && this.#powerState === 'D0') bar.read(offset, target, position, count)
    else for (let done = 0; done < count; done++) target.setUint8(position + done, 0xff)
  }

  writeRegion (
    index: RegionIndex,
    offset: number,
    source: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    if (index === RegionIndex.CONFIG) return this.#writeConfig(offset, source, position, count)
    if (this.#powerState !== 'D0') return
    return this.#bars[index]?.write(offset, source, position, count)
  }

  settleAfter (work: Promise<void>): void {
    const earlier = this.#settled
    this.#settled = earlier === undefined ? work : Promise.all([earlier, work]).then(() => undefined)
  }

  reset (cause: ResetCause = 'client'): Promise<void> {
    // One reset at a time: the device must not be asked to stop while it still does.
    this.#beginReset(cause)
    this.#lastReset = this.#lastReset.then(() => this.#finishReset(cause), () => this.#finishReset(cause))
    return this.#lastReset
  }

  save (): DeviceState {
    const state: FunctionState = {
      config: this.config.save(),
      interrupts: this.#interrupts.save(),
      ...(this.#msixTable === undefined ? {} : { msixTable: this.#msixTable.save() })
    }
    return { ...state }
  }

  restore (saved: DeviceState): void {
    const { config, interrupts, msixTable } = parseFunctionState(saved)
    this.config.restore(config)
    if (msixTable !== undefined) this.#msixTable?.restore(msixTable)
    this.#interrupts.restore(interrupts)
    const hasPower = this.#configSpace.has(POWER_MANAGEMENT_STATUS)
    const power = hasPower ? Pmcsr.POWER_STATE.get(this.config.get(POWER_MANAGEMENT_STATUS)) : PowerStateValue.D0
    this.#setPowerState(power === PowerStateValue.D3HOT ? 'D3hot' : 'D0')
    this.#applyState()
  }

  /** From here on nothing leaves the function. The registers have their new values when this returns. */
  #beginReset (cause: ResetCause): void {
    this.#services.recorder.record({ type: 'reset', cause })
    this.#services.logger.debug({ cause }, 'The function is reset.')
    this.#resetCount++
    this.config.reset({ keepSticky: cause !== 'client' })
    this.#msixTable?.reset()
    this.#setPowerState('D0')
    this.#applyState()
  }

  async #finishReset (cause: ResetCause): Promise<void> {
    try {
      await this.#services.onReset(cause)
      await this.#services.dma.drain()
    } finally {
      this.#resetCount--
      // Whatever the device raised while it stopped belongs to the time before.
      this.#interrupts.reset()
      this.#applyState()
    }
  }

  #writeConfig (offset: number, source: DataView, position: number, count: number): void | Promise<void> {
    this.#settled = undefined
    this.#configSpace.write(offset, source, position, count)
    const settled = this.#settled
    this.#settled = undefined
    return settled
  }

  #applyCommand (): void {
    const wasBusMaster = this.#isBusMaster
    this.#applyState()
    if (wasBusMaster && !this.#isBusMaster) this.settleAfter(this.#services.dma.drain())
  }

  #controlDevice (value: number): void {
    if (!DeviceControl.INITIATE_FUNCTION_LEVEL_RESET.isSet(value)) return
    // The bit always reads as zero: the reset clears it with the rest.
    this.settleAfter(this.reset('flr'))
  }

  #controlPower (value: number, previous: number): void {
    const state = Pmcsr.POWER_STATE.get(value)
    if (state !== PowerStateValue.D0 && state !== PowerStateValue.D3HOT) {
      // [PCIe] "Power Management Control/Status Register": a state that is not supported is discarded.
      this.config.set(POWER_MANAGEMENT_STATUS, previous)
      return
    }
    const next: PowerState = state === PowerStateValue.D0 ? 'D0' : 'D3hot'
    if (next === this.#powerState) return
    if (next === 'D0' && !Pmcsr.NO_SOFT_RESET.isSet(value)) {
      this.settleAfter(this.reset('power'))
      return
    }
    this.#setPowerState(next)
    this.#applyState()
    if (next === 'D3hot') this.settleAfter(this.#services.dma.drain())
  }

  #setPowerState (state: PowerState): void {
    if (state === this.#powerState) return
    this.#powerState = state
    this.#services.recorder.record({ type: 'power', state })
    this.#services.onPowerState?.(state)
  }

  /** Bus mastering and interrupts, as Command register, power state and resets have them. */
  #applyState (): void {
    const isAwake = this.#powerState === 'D0' && this.#resetCount === 0
    const isBusMaster = isAwake && Command.BUS_MASTER_ENABLE.isSet(this.config.get('COMMAND_STATUS'))
    if (isBusMaster !== this.#isBusMaster) {
      this.#isBusMaster = isBusMaster
      // The record of it is kept by what is behind the switch: the DMA manager.
      this.#services.busMaster.setBusMaster(isBusMaster)
    }
    this.#interrupts.setSending(isAwake, isBusMaster)
  }

  #createBars (description: PciDescription): (Bar | undefined)[] {
    const overlays = this.#createOverlays(description)
    const bars = new Array<Bar | undefined>(REGION_COUNT).fill(undefined)
    for (const { index, byteLength, handler } of description.bars ?? []) {
      bars[index] = new Bar(byteLength, handler, overlays.filter(({ bar }) => bar === index))
    }
    if (description.rom !== undefined) {
      const rom = description.rom
      const read = (offset: number): number => rom[offset] ?? 0xff
      const handler = words({
        read: offset => (read(offset) | read(offset + 1) << 8 | read(offset + 2) << 16 | read(offset + 3) << 24) >>> 0,
        write: () => undefined
      })
      bars[RegionIndex.ROM] = new Bar(romByteLength(rom), handler, [])
    }
    return bars
  }

  #createOverlays ({ interrupts }: PciDescription): (BarOverlay & { readonly bar: number })[] {
    const vectors = this.#interrupts.msix
    const table = this.#msixTable
    if (interrupts?.msix === undefined || vectors === undefined || table === undefined) return []
    const placement = placeMsix(interrupts.msix)
    const pending = words({ read: offset => vectors.pendingWords[offset >>> 2] ?? 0, write: () => undefined })
    return [
      {
        bar: placement.tableBar,
        offset: placement.tableOffset,
        byteLength: placement.tableByteLength,
        handler: words(table)
      },
      { bar: placement.pbaBar, offset: placement.pbaOffset, byteLength: placement.pbaByteLength, handler: pending }
    ]
  }
}

function createRegions (description: PciDescription, configByteLength: number): RegionInfo[] {
  const regions: RegionInfo[] = []
  for (let index = 0; index < REGION_COUNT; index++) {
    regions.push({ index: index as RegionIndex, byteLength: 0, readable: false, writable: false })
  }
  for (const { index, byteLength, memory, ioEvents } of description.bars ?? []) {
    regions[index] = {
      index: index as RegionIndex,
      byteLength,
      readable: true,
      writable: true,
      ...(memory === undefined ? {} : { memory }),
      ...(ioEvents === undefined ? {} : { ioEvents })
    }
  }
  const romBytes = description.rom === undefined ? 0 : romByteLength(description.rom)
  regions[RegionIndex.ROM] = { index: RegionIndex.ROM, byteLength: romBytes, readable: romBytes > 0, writable: false }
  regions[RegionIndex.CONFIG] = {
    index: RegionIndex.CONFIG,
    byteLength: configByteLength,
    readable: true,
    writable: true
  }
  return regions
}
