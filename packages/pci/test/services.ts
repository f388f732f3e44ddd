import { silentLogger } from '@pcikit/core'
import type { RecordEvent } from '@pcikit/core'
import { createPciFunction, deviceSerialNumber, pciExpress, powerManagement, vendorSpecific } from '../src/index.js'
import type { BarHandler, DescribedPciFunction, PciDescription, PciServices, ResetCause } from '../src/index.js'

/** Surroundings of a function that write down what it does to them. */
export class RecordingServices implements PciServices {
  readonly log: string[] = []
  readonly events: RecordEvent[] = []
  readonly logger = silentLogger
  readonly recorder = { record: (event: RecordEvent): void => void this.events.push(event) }
  isBusMaster = false
  /** Resolves the drain that is waited for, when `holdsDrain` is set. */
  finishDrain: () => void = () => undefined
  holdsDrain = false
  readonly busMaster = {
    setBusMaster: (enabled: boolean): void => {
      this.isBusMaster = enabled
      this.log.push(`bus master ${enabled ? 'on' : 'off'}`)
    }
  }

  readonly dma = {
    drain: (): Promise<void> => {
      this.log.push('drain')
      return this.holdsDrain ?
        new Promise(resolve => {
          this.finishDrain = resolve
        }) :
        Promise.resolve()
    }
  }

  onReset (cause: ResetCause): void | Promise<void> {
    this.log.push(`reset ${cause}`)
  }

  onPowerState (state: string): void {
    this.log.push(state)
  }
}

/** Registers of which every byte can be written and read back; accesses are written down. */
export class ScratchBar implements BarHandler {
  readonly memory: DataView
  readonly accesses: string[] = []

  constructor (byteLength: number) {
    this.memory = new DataView(new ArrayBuffer(byteLength))
  }

  read (offset: number, size: 1 | 2 | 4): number {
    this.accesses.push(`read ${size}@${offset}`)
    return size === 4 ?
      this.memory.getUint32(offset, true) :
      size === 2 ?
      this.memory.getUint16(offset, true) :
      this.memory.getUint8(offset)
  }

  write (offset: number, size: 1 | 2 | 4, value: number): void {
    this.accesses.push(`write ${size}@${offset}=${value.toString(16)}`)
    if (size === 4) this.memory.setUint32(offset, value, true)
    else if (size === 2) this.memory.setUint16(offset, value, true)
    else this.memory.setUint8(offset, value)
  }
}

/** A function with one of everything. MSI-X is in BAR 0, behind the device's own registers. */
export const everything: PciDescription = {
  identity: {
    vendorId: 0x1b36,
    deviceId: 0x0010,
    revisionId: 2,
    classCode: 0x01_08_02,
    subsystemVendorId: 0x1af4,
    subsystemId: 0x1100
  },
  bars: [
    { index: 0, kind: 'memory64', byteLength: 0x4000, prefetchable: true, handler: new ScratchBar(0x4000) },
    { index: 2, kind: 'memory32', byteLength: 0x1000, handler: new ScratchBar(0x1000) },
    { index: 3, kind: 'io', byteLength: 0x20, handler: new ScratchBar(0x20) },
    { index: 4, kind: 'memory64', byteLength: 2 ** 35 }
  ],
  rom: Uint8Array.of(0x55, 0xaa, 0x01),
  interrupts: { intxPin: 1, msi: { vectors: 8 }, msix: { vectors: 70, tableBar: 0, tableOffset: 0x2000 } },
  capabilities: [powerManagement(), pciExpress(), vendorSpecific(Uint8Array.of(1, 2, 3, 4, 5, 6))],
  extendedCapabilities: [deviceSerialNumber(0x0123_4567_89ab_cdefn)]
}

/** Makes a function of parts of a description, with everything else as in {@link everything}. */
export function createFunction (
  parts: Partial<PciDescription> = {},
  services: RecordingServices = new RecordingServices()
): { pci: DescribedPciFunction, services: RecordingServices } {
  return { pci: createPciFunction({ ...everything, ...parts }, services), services }
}
