import {
  assert,
  contribute,
  definePlugin,
  DEVICE,
  DEVICE_IDENTITY,
  DMA_MANAGER,
  isPlugin,
  PLUGIN_API_VERSION,
  SERVICE,
  SHARED_MEMORY,
  TRANSPORT
} from '@pcikit/core'
import type {
  Device,
  DeviceContribution,
  DeviceEndpoint,
  Plugin,
  SharedMemoryFactory,
  StandardSchema,
  Transport
} from '@pcikit/core'
import { buildProvided, createHost } from '@pcikit/core/host'
import type { Host, HostedDevice } from '@pcikit/core/host'
import { FakeDmaManager } from '../../fakes/fake-dma-manager.js'
import { GuestFile } from '../../guest/guest-file.js'
import { ConfigProbe } from '../config-probe.js'
import type { PluginFixture } from '../plugin.js'

const SUITE = 'compliance-suite'
const memory: SharedMemoryFactory = { create: (_, byteLength) => GuestFile.create(byteLength) }
const NO_OPTIONS: StandardSchema = { '~standard': { version: 1, vendor: SUITE, validate: value => ({ value }) } }

/** What a device does when it is started: its own start unless the suite has something else in mind. */
export type StartAction = (device: Device) => Promise<void>

/** A device that a host runs, and the suite's hold on what it is given. */
export interface BenchDevice {
  readonly device: Device
  readonly hosted: HostedDevice
  readonly endpoint: DeviceEndpoint
  readonly dma: FakeDmaManager
  /** Reaches its function as a client does. */
  readonly probe: ConfigProbe
}

/** A host with the plugin under test, a DMA manager without memory, and a transport that nobody comes through. */
export class PluginBench {
  readonly host: Host
  readonly #fixture: PluginFixture
  readonly #type: string
  /** By the name of the device. */
  readonly #devices = new Map<string, Device>()
  readonly #endpoints = new Map<string, DeviceEndpoint>()
  readonly #start: StartAction
  /** What devices said when they were closed and could not. */
  readonly closeFailures: unknown[] = []

  private constructor (fixture: PluginFixture, plugin: Plugin, start: StartAction) {
    this.#fixture = fixture
    this.#start = start
    this.#type = deviceUnderTest(fixture, plugin).name
    this.host = createHost({ plugins: [this.#surroundings(), ...fixture.plugins ?? [], this.#observe(plugin)] })
  }

  static async open (
    fixture: PluginFixture,
    start: StartAction = async device => device.start?.()
  ): Promise<PluginBench> {
    return new PluginBench(fixture, await loadPluginUnderTest(fixture), start)
  }

  async createDevice (options = this.#fixture.options ?? {}): Promise<BenchDevice> {
    const choice = { type: SUITE }
    const hosted = await this.host.createDevice({ type: this.#type, options, transport: choice, dma: choice })
    const device = this.#devices.get(hosted.name)
    const endpoint = this.#endpoints.get(hosted.name)
    assert(device !== undefined && endpoint !== undefined, 'a device was built and is served when it was created')
    const dma = endpoint.dma as FakeDmaManager
    return { device, hosted, endpoint, dma, probe: new ConfigProbe(endpoint.function) }
  }

  close (): Promise<void> {
    return this.host.close()
  }

  /** The plugin, with a hand on the devices that it makes. */
  #observe (plugin: Plugin): Plugin {
    const contributes = plugin.contributes.map(contribution => {
      if (contribution.point.id !== DEVICE.id) return contribution
      const value = contribution.value as DeviceContribution
      return contribute(DEVICE, {
        ...value,
        provider: {
          useFactory: container => {
            const device = buildProvided(container, value.provider)
            this.#devices.set(container.resolve(DEVICE_IDENTITY).name, device)
            return this.#hold(device)
          }
        }
      })
    })
    return definePlugin({ name: plugin.name, api: plugin.api, contributes })
  }

  /** A device as it is, apart from its start. */
  #hold (device: Device): Device {
    return {
      get function () {
        return device.function
      },
      start: () => this.#start(device),
      clientGone: () => device.clientGone?.(),
      close: () =>
        device.close().catch((error: unknown) => {
          this.closeFailures.push(error)
          throw error
        })
    }
  }

  #surroundings (): Plugin {
    const named = { name: SUITE, summary: 'for the compliance suite', options: NO_OPTIONS }
    const transport = (name: string): Transport => ({
      address: 'nowhere',
      listen: async endpoint => void this.#endpoints.set(name, endpoint),
      close: async () => undefined
    })
    return definePlugin({
      name: SUITE,
      api: PLUGIN_API_VERSION,
      contributes: [
        contribute(DMA_MANAGER, { ...named, provider: { useFactory: () => new FakeDmaManager() } }),
        contribute(TRANSPORT, {
          ...named,
          provider: { useFactory: container => transport(container.resolve(DEVICE_IDENTITY).name) }
        }),
        contribute(SERVICE, {
          ...named,
          token: SHARED_MEMORY,
          provider: { useFactory: () => memory }
        })
      ]
    })
  }
}

/** The plugin under test. Throws where the module has none, in the words of a host. */
export async function loadPluginUnderTest (fixture: PluginFixture): Promise<Plugin> {
  const { default: plugin } = await fixture.load()
  assert(isPlugin(plugin), 'the default export of a plugin is what definePlugin() returns')
  return plugin
}

/** The contribution under test. */
export function deviceUnderTest (fixture: PluginFixture, plugin: Plugin): DeviceContribution {
  const devices = plugin.contributes.filter(({ point }) => point.id === DEVICE.id)
    .map(({ value }) => value as DeviceContribution)
  const found = fixture.type === undefined ? devices : devices.filter(({ name }) => name === fixture.type)
  const [only] = found
  assert(
    only !== undefined && found.length === 1,
    `the fixture has one device type in mind, and ${plugin.name} has: ${devices.map(({ name }) => name).join(', ')}`
  )
  return only
}
