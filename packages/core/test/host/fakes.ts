import { contribute, definePlugin, DEVICE, DMA_MANAGER, OPTIONS, PLUGIN_API_VERSION, TRANSPORT } from '@pcikit/core'
import type {
  Device,
  DeviceEndpoint,
  DmaManager,
  InterruptLines,
  PciFunction,
  Plugin,
  StandardSchema,
  Transport
} from '@pcikit/core'
import type { DependencyContainer } from 'tsyringe'

/** A schema that takes any object, or refuses with a message. */
export function schema (refusal?: { message: string, path: string[] }): StandardSchema {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value => refusal === undefined ? { value } : { issues: [refusal] }
    }
  }
}

/** Takes down what is called, in order. */
export class Journal {
  readonly entries: string[] = []
  write (entry: string): void {
    this.entries.push(entry)
  }
}

const lines = (journal: Journal): InterruptLines => ({ release: () => journal.write('release') }) as never
const pciFunction = (journal: Journal): PciFunction => ({ interrupts: lines(journal) }) as never

export function fakeDma (journal: Journal): DmaManager {
  return {
    setPort: () => journal.write('port off'),
    setBusMaster: (enabled: boolean) => journal.write(`bus master ${enabled}`),
    unmapAll: async () => journal.write('unmap all'),
    close: async () => journal.write('dma closed')
  } as never
}

/** A transport that hands out its endpoint. */
export class FakeTransport implements Transport {
  readonly address = 'nowhere'
  readonly #journal: Journal
  endpoint: DeviceEndpoint | undefined
  constructor (journal: Journal) {
    this.#journal = journal
  }
  async listen (endpoint: DeviceEndpoint): Promise<void> {
    this.endpoint = endpoint
    this.#journal.write('listen')
  }
  async close (): Promise<void> {
    this.#journal.write('transport closed')
  }
}

export interface FakeParts {
  readonly plugin: Plugin
  readonly transports: FakeTransport[]
  readonly options: unknown[]
}

/** One plugin with a device `fake`, a DMA manager and a transport that note what happens to them. */
export function fakePlugin (journal: Journal, overrides: Partial<Device> = {}, name = 'fake-plugin'): FakeParts {
  const transports: FakeTransport[] = []
  const options: unknown[] = []
  const device = (container: DependencyContainer): Device => {
    options.push(container.resolve(OPTIONS))
    return {
      function: pciFunction(journal),
      start: async () => journal.write('start'),
      clientGone: () => journal.write('client gone'),
      close: async () => journal.write('device closed'),
      ...overrides
    }
  }
  const transport = (): Transport => {
    transports.push(new FakeTransport(journal))
    return transports.at(-1) as Transport
  }
  const plugin = definePlugin({
    name,
    api: PLUGIN_API_VERSION,
    contributes: [
      contribute(DEVICE, { name: 'fake', summary: 'a device', options: schema(), provider: { useFactory: device } }),
      contribute(DMA_MANAGER, {
        name: 'fake',
        summary: 'a DMA manager',
        options: schema(),
        provider: { useFactory: () => fakeDma(journal) }
      }),
      contribute(TRANSPORT, {
        name: 'fake',
        summary: 'a transport',
        options: schema(),
        provider: { useFactory: transport }
      })
    ]
  })
  return { plugin, transports, options }
}
