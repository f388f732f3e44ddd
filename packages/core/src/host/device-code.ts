import type { Device, DeviceState } from '../device.js'
import type { DmaManager } from '../dma.js'
import type { PciFunction } from '../pci-function.js'
import { DEVICE } from '../plugin.js'
import type { DeviceContribution, OwnedContribution } from '../plugin.js'
import { BUS_MASTER, DMA_SPACE, SHARED_MEMORY } from '../tokens.js'
import { attemptFor, buildContribution, startDevice } from './build-contribution.js'
import { BusMasterGate } from './bus-master-gate.js'
import { GatedDma } from './gated-dma.js'
import type { KeptMemory } from './kept-memory.js'
import type { Scope } from './scope.js'

/** What every code of a device is built with. */
export interface DeviceSurroundings {
  /** The name of the device. */
  readonly name: string
  readonly scope: Scope
  readonly dma: DmaManager
  /** Undefined where nobody provides shared memory. */
  readonly memory: KeptMemory | undefined
  readonly options: Readonly<Record<string, unknown>>
}

/** What was saved of a device and of its function, each undefined where it saved nothing. */
export interface SavedState {
  readonly device: DeviceState | undefined
  readonly function: DeviceState | undefined
  /** Why nothing was saved of the device, where nothing was. */
  readonly reason?: string
}

/**
 * A device built of one version of its code, with everything around it that ends with that version. It reaches memory
 * only once it is opened, and until it is closed again.
 */
export class DeviceCode {
  /** What it was built of. */
  readonly contribution: OwnedContribution<DeviceContribution>
  readonly device: Device
  readonly #name: string
  readonly #scope: Scope
  readonly #gate: BusMasterGate

  private constructor (
    name: string,
    scope: Scope,
    gate: BusMasterGate,
    contribution: OwnedContribution<DeviceContribution>,
    device: Device
  ) {
    this.#name = name
    this.#scope = scope
    this.#gate = gate
    this.contribution = contribution
    this.device = device
  }

  static async build (
    surroundings: DeviceSurroundings,
    contribution: OwnedContribution<DeviceContribution>
  ): Promise<DeviceCode> {
    const { name, dma, memory, options } = surroundings
    const scope = surroundings.scope.child(`the code of ${name}`)
    const gate = new BusMasterGate(dma)
    const space = new GatedDma(dma, gate)
    const loan = memory?.lend()
    scope.onClose('what it was given', () => {
      gate.close()
      space.close()
      loan?.end()
    })
    scope.setValue(BUS_MASTER, gate).setValue(DMA_SPACE, space)
    if (loan !== undefined) scope.setValue(SHARED_MEMORY, loan)
    try {
      const device = await buildContribution(scope, DEVICE, contribution, options)
      scope.onClose('the device', () => device.close())
      return new DeviceCode(name, scope, gate, contribution, device)
    } catch (error) {
      await scope.close()
      throw error
    }
  }

  /** Its function, which some devices make when they are built, and some when they are started. */
  get function (): PciFunction | undefined {
    return this.device.function
  }

  get isClosed (): boolean {
    return this.#scope.isClosed
  }

  /** Throws PCIKIT_DEVICE_FAILED where it does not start. */
  async start (): Promise<PciFunction> {
    await attemptFor(DEVICE, this.contribution, 'was started', () => startDevice(this.#name, this.device))
    return this.device.function
  }

  /** Lets it reach memory, as far as the function's command register does. */
  open (): void {
    this.#gate.open()
  }

  /** Takes memory away from it. */
  shut (): void {
    this.#gate.close()
  }

  /** Closes the device and everything around it. Rejects with PCIKIT_CLOSE_FAILED where it did not go as it should. */
  close (): Promise<void> {
    return this.#scope.close()
  }
}
