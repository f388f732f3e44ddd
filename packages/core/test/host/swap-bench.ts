import {
  BUS_MASTER,
  contribute,
  definePlugin,
  DEVICE,
  DMA_MANAGER,
  DMA_SPACE,
  LOGGER,
  PLUGIN_API_VERSION,
  RECORDER,
  RegionIndex,
  SERVICE,
  SHARED_MEMORY,
  silentLogger,
  TRANSPORT
} from '@pcikit/core'
import type { ClientConnection, Device, DeviceEndpoint, DmaSpace, Logger, Plugin, SharedMemory } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { Host, SwappableDevice } from '@pcikit/core/host'
import { createPciFunction } from '@pcikit/pci'
import type { DescribedPciFunction } from '@pcikit/pci'
import { FakeDmaManager } from '@pcikit/testkit'
import { FakeTransport, Journal, schema } from './fakes.js'

/** What a version of the device under test has to itself, to be called with itself. */
export interface Version extends Partial<Device> {
  /** What register 4 reads. */
  readonly number: number
  readonly barBytes?: number
  readonly vectors?: number
  /** Called when it is built. */
  readonly onBuild?: (device: VersionedDevice) => void
  /** Whether its function is there only once it was started. */
  readonly isLate?: boolean
}

/** A device with two registers: a word that keeps what is written, and the number of its version. */
export interface VersionedDevice extends Device {
  readonly function: DescribedPciFunction
  readonly dma: DmaSpace
  readonly memory: SharedMemory
  word: number
}

const BAR_BYTES = 4096
const COMMAND = 4
const BUS_MASTER_ENABLE = 4

/** Both of the pair, the way most devices have them. */
export const saving = {
  save (this: VersionedDevice) {
    return { word: this.word }
  },
  restore (this: VersionedDevice, state: Readonly<Record<string, unknown>>) {
    this.word = state['word'] as number
  }
} as Partial<Device>

/** A swappable device behind a transport without clients, and a client's hands on it. */
export class SwapBench {
  readonly journal = new Journal()
  readonly transport = new FakeTransport(this.journal)
  readonly dma = new FakeDmaManager(50)
  /** Every device that was built, in order. */
  readonly built: VersionedDevice[] = []
  readonly warnings: string[] = []
  readonly host: Host
  device!: SwappableDevice

  private constructor (version: Version) {
    const warn = (_: unknown, message: string): void => void this.warnings.push(message)
    const logger: Logger = { ...silentLogger, warn, error: warn, child: () => logger }
    this.host = createHost({ plugins: [this.#surroundings(), this.plugin(version)], logger })
  }

  static async open (version: Version): Promise<SwapBench> {
    const bench = new SwapBench(version)
    bench.device = await bench.host.createDevice({ type: 'word', swappable: true, transport: { type: 'fake' } })
    return bench
  }

  get endpoint (): DeviceEndpoint {
    return this.transport.endpoint!
  }

  connect (): ClientConnection {
    return this.endpoint.connect()
  }

  swap (version: Version) {
    return this.device.swap(this.plugin(version))
  }

  async read (offset: number): Promise<number> {
    const view = new DataView(new ArrayBuffer(4))
    await this.endpoint.function.readRegion(RegionIndex.BAR0, offset, view, 0, 4)
    return view.getUint32(0, true)
  }

  async write (offset: number, value: number): Promise<void> {
    const view = new DataView(Uint32Array.of(value).buffer)
    await this.endpoint.function.writeRegion(RegionIndex.BAR0, offset, view, 0, 4)
  }

  async setBusMaster (enabled: boolean): Promise<void> {
    const view = new DataView(Uint16Array.of(enabled ? BUS_MASTER_ENABLE : 0).buffer)
    await this.endpoint.function.writeRegion(RegionIndex.CONFIG, COMMAND, view, 0, 2)
  }

  plugin (version: Version): Plugin {
    return definePlugin({
      name: 'pcikit-device-word',
      api: PLUGIN_API_VERSION,
      contributes: [contribute(DEVICE, {
        name: 'word',
        summary: 'a word',
        options: schema(),
        provider: {
          useFactory: container => {
            const services = {
              dma: container.resolve(DMA_SPACE),
              busMaster: container.resolve(BUS_MASTER),
              recorder: container.resolve(RECORDER),
              logger: container.resolve(LOGGER)
            }
            const device = createDevice(version, services, container.resolve(SHARED_MEMORY).create('page', 4096))
            this.built.push(device)
            version.onBuild?.(device)
            return device
          }
        }
      })]
    })
  }

  #surroundings (): Plugin {
    const fake = { name: 'fake', summary: 'for tests', options: schema() }
    const create = (name: string, byteLength: number): SharedMemory => ({
      descriptor: 1,
      bytes: new Uint8Array(byteLength),
      close: () => this.journal.write(`${name} closed`)
    })
    return definePlugin({
      name: 'surroundings',
      api: PLUGIN_API_VERSION,
      contributes: [
        contribute(DMA_MANAGER, { ...fake, provider: { useFactory: () => this.dma } }),
        contribute(TRANSPORT, { ...fake, provider: { useFactory: () => this.transport } }),
        contribute(SERVICE, { ...fake, token: SHARED_MEMORY, provider: { useFactory: () => ({ create }) } })
      ]
    })
  }
}

type Services = Pick<Parameters<typeof createPciFunction>[1], 'busMaster' | 'recorder' | 'logger'> & {
  readonly dma: DmaSpace
}

function createDevice (version: Version, services: Services, memory: SharedMemory): VersionedDevice {
  const { number, barBytes = BAR_BYTES, vectors = 2, isLate, ...overrides } = version
  const create = (device: VersionedDevice): DescribedPciFunction =>
    createPciFunction({
      identity: { vendorId: 0x1234, deviceId: 1, classCode: 0xff_00_00 },
      bars: [
        {
          index: 0,
          kind: 'memory32',
          byteLength: barBytes,
          handler: {
            read: offset => offset === 0 ? device.word : number,
            write: (_offset, _size, value) => {
              device.word = value
            }
          }
        },
        { index: 1, kind: 'memory32', byteLength: 4096 }
      ],
      interrupts: { intxPin: 1, msix: { vectors, tableBar: 1, tableOffset: 0 } }
    }, {
      ...services,
      onReset: () => {
        device.word = 0
      }
    })
  const device = { word: 0, dma: services.dma, memory, close: async () => undefined, ...overrides } as VersionedDevice
  const assignFunction = (): void => void Object.assign(device, { function: create(device) })
  if (isLate !== true) assignFunction()
  else device.start = async () => assignFunction()
  return device
}
