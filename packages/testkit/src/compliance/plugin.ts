import type { Interrupts, PciFunction, Plugin } from '@pcikit/core'
import { describe } from 'vitest'
import { describePciFunction } from './pci-function.js'
import { describeClients } from './plugin/clients.js'
import { describeImport } from './plugin/import.js'
import { describeInstances } from './plugin/instances.js'
import { describeLife } from './plugin/life.js'
import { describeManifest } from './plugin/manifest.js'
import { describePluginOptions } from './plugin/options.js'
import { PluginBench } from './plugin/plugin-bench.js'

/** How the suite obtains the plugin, and what it makes a device of. */
export interface PluginFixture {
  /** Imports the module whose default export is the plugin: `() => import('../src/index.js')`. */
  readonly load: () => Promise<{ readonly default: unknown }>
  /** The device type under test. The only one that the plugin contributes unless given. */
  readonly type?: string
  /** What a device is made with; none unless given. Keep it small: hundreds of devices are made. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Options that parse and with which `start` rejects, such as a file that is not there. */
  readonly failingOptions?: Readonly<Record<string, unknown>>
  /** Plugins that the device cannot do without: those of its back ends, for example. */
  readonly plugins?: readonly Plugin[]
  /** The device's side of the interrupts of a function of its, so that the suite can raise some. */
  readonly interrupts?: (pci: PciFunction) => Interrupts
}

/**
 * Checks what a host asks of a plugin that contributes a device, and what `PciFunction` asks of its function. One call
 * is a plugin's whole compliance test. The devices are built, started and closed by a host, over a DMA manager without
 * memory. What is held is counted for the whole process, so the file must not run in a worker thread.
 */
export function describePlugin (name: string, fixture: PluginFixture): void {
  describe(`${name} as plugin`, () => {
    describeImport(fixture)
    describeManifest(fixture)
    describePluginOptions(fixture)
    describeLife(fixture)
    describeInstances(fixture)
    describeClients(fixture)
  })
  describePciFunction(name, {
    create: async () => {
      const bench = await PluginBench.open(fixture)
      const { device, dma } = await bench.createDevice()
      return {
        function: device.function,
        isBusMaster: () => dma.isBusMaster,
        ...(fixture.interrupts === undefined ? {} : { interrupts: fixture.interrupts(device.function) }),
        close: () => bench.close()
      }
    }
  })
}
