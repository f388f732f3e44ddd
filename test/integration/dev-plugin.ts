// The source of a plugin, for tests that change it.

/** What differs between versions of the plugin. */
export interface PluginVersion {
  /** What the register at 4h reads. */
  readonly version: number
  readonly barBytes?: number
  /** Put at the end of the module. */
  readonly tail?: string
}

/**
 * A device with a register that keeps what is written (0h), one that says which version it is (4h), one that raises
 * vector 0 (8h), and one that has it throw in a turn of its own (Ch).
 */
export function pluginSource ({ version, barBytes = 4096, tail = '' }: PluginVersion): string {
  return `
import {
  BUS_MASTER, contribute, definePlugin, DEVICE, DMA_SPACE, LOGGER, PLUGIN_API_VERSION, RECORDER
} from '@pcikit/core'
import type { Device, DeviceState } from '@pcikit/core'
import { createPciFunction, words } from '@pcikit/pci'
import type { DescribedPciFunction, PciServices } from '@pcikit/pci'
import { RegisterBank } from '@pcikit/wire'
import type { RegisterValues } from '@pcikit/wire'
import { version } from './version.js'

class Word implements Device {
  readonly function: DescribedPciFunction
  readonly #bank = new RegisterBank({
    WORD: { offset: 0, writable: 0xffff_ffff },
    VERSION: { offset: 4, reset: version },
    RAISE: { offset: 8, writable: 1 },
    THROW: { offset: 0xc, writable: 1 }
  })

  constructor (services: Omit<PciServices, 'onReset'>) {
    this.function = createPciFunction({
      identity: { vendorId: 0x1234, deviceId: 1, classCode: 0xff_00_00 },
      bars: [
        { index: 0, kind: 'memory32', byteLength: ${barBytes}, handler: words(this.#bank) },
        { index: 1, kind: 'memory32', byteLength: 4096 }
      ],
      interrupts: { msix: { vectors: 1, tableBar: 1, tableOffset: 0 } }
    }, { ...services, onReset: () => this.#bank.reset() })
    this.#bank.onWrite('RAISE', () => this.function.deviceInterrupts.trigger(0))
    this.#bank.onWrite('THROW', () => void setImmediate(() => {
      throw new TypeError('nobody catches this')
    }))
  }

  save (): DeviceState {
    return { bank: this.#bank.save() }
  }

  restore ({ bank }: DeviceState): void {
    this.#bank.restore(bank as RegisterValues)
  }

  async close (): Promise<void> {}
}

export default definePlugin({
  name: 'pcikit-device-word',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(DEVICE, {
    name: 'word',
    summary: 'a word',
    options: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } },
    provider: {
      useFactory: container => new Word({
        dma: container.resolve(DMA_SPACE),
        busMaster: container.resolve(BUS_MASTER),
        recorder: container.resolve(RECORDER),
        logger: container.resolve(LOGGER)
      })
    }
  })]
})
// ${version}
${tail}
`
}
