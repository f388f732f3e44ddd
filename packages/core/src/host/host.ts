import type { Device } from '../device.js'
import type { DmaManager } from '../dma.js'
import { isPcikitError, PcikitError } from '../errors.js'
import { silentLogger } from '../logger.js'
import type { Logger } from '../logger.js'
import { DEVICE, DMA_MANAGER, SERVICE, TRANSPORT } from '../plugin.js'
import type { Extensions, HostService, Plugin } from '../plugin.js'
import { BUS_MASTER, DEVICE_IDENTITY, DMA_SPACE, EXTENSIONS, LOGGER, RECORDER, SHARED_MEMORY } from '../tokens.js'
import { attemptFor, buildContribution, startDevice } from './build-contribution.js'
import { HostedEndpoint } from './device-endpoint.js'
import { DeviceSlot } from './device-slot.js'
import type { SwapOutcome } from './device-slot.js'
import { EventRecord } from './event-record.js'
import { explainFailure } from './explain-failure.js'
import { ExtensionRegistry } from './extension-registry.js'
import { KeptMemory } from './kept-memory.js'
import { Scope } from './scope.js'

/** What a host is made of. */
export interface HostOptions {
  /** Registered in this order. */
  readonly plugins: readonly Plugin[]
  /**
   * Told of each plugin that does not fit, or whose service cannot be built; the host then does without it. Unless
   * given, createHost throws the error.
   */
  readonly onRefusal?: (plugin: Plugin, error: PcikitError) => void
  /** Where everything logs; silent unless given. */
  readonly logger?: Logger
  /** What keeps the record of every device; one of its own unless given. */
  readonly record?: EventRecord
}

/** A choice among contributions, with the options of the one chosen. */
export interface Choice {
  /** The name of the contribution. */
  readonly type: string
  readonly options?: Readonly<Record<string, unknown>>
}

/** A device to create. */
export interface DeviceOptions extends Choice {
  /** Unique in the host. The type, with a number from the second one on, unless given. */
  readonly name?: string
  readonly transport: Choice
  /** The only registered DMA manager unless given. */
  readonly dma?: Choice
  /** Whether its code can be exchanged while it runs; each access then takes one more step. False unless given. */
  readonly swappable?: boolean
}

/** A device that is being served. */
export interface HostedDevice extends AsyncDisposable {
  readonly name: string
  readonly type: string
  /** Where clients find it. */
  readonly address: string
  /** Lets the client go, quiesces the device, flushes and closes what it opened. */
  close(): Promise<void>
}

/** A device whose code can be exchanged under a live guest. */
export interface SwappableDevice extends HostedDevice {
  /**
   * Puts the device type of the same name, of another plugin object, in the place of the one that runs. What the old
   * code saves the new one restores; the client's memory, its interrupts and its connection stay. Rejects with a
   * PcikitError that says what is wrong and whether the old code goes on. Only the device type of the plugin is taken.
   */
  swap(plugin: Plugin): Promise<SwapOutcome>
  /** Takes the device off its bus for an error that nobody caught, until it is reset or its code is exchanged. */
  takeOffBus(error: unknown): void
}

/** Runs devices in this process. Two hosts in one process share nothing. */
export interface Host extends AsyncDisposable {
  readonly extensions: Extensions
  readonly plugins: readonly string[]
  readonly devices: readonly HostedDevice[]
  /** What happened to the devices' memory, power and interrupts. */
  readonly record: EventRecord
  /** Builds a device of a registered type, starts it and serves it. If any of that fails, all of it is closed again. */
  createDevice(options: DeviceOptions & { readonly swappable: true }): Promise<SwappableDevice>
  createDevice(options: DeviceOptions): Promise<HostedDevice>
  /** Closes every device, the last one first. */
  close(): Promise<void>
}

/** Makes a host and registers its plugins. Throws a PcikitError that names the plugin which does not fit, if any. */
export function createHost (options: HostOptions): Host {
  return new PluginHost(options)
}

class PluginHost implements Host {
  readonly #extensions = new ExtensionRegistry()
  readonly #scope = Scope.root('the host')
  readonly #devices = new Map<string, HostedDevice>()
  readonly #names = new Set<string>()
  readonly #logger: Logger
  readonly record: EventRecord

  constructor (options: HostOptions) {
    this.#logger = options.logger ?? silentLogger
    this.record = options.record ?? new EventRecord()
    const { plugins, onRefusal } = options
    for (const plugin of plugins) attempt(plugin, onRefusal, () => this.#extensions.register(plugin))
    this.#scope.setValue(LOGGER, this.#logger).setValue(EXTENSIONS, this.#extensions)
    for (const { value, plugin: name } of this.#extensions.list(SERVICE)) {
      attempt(this.#extensions.plugin(name), onRefusal, () => this.#addService(value, name))
    }
  }

  get extensions (): Extensions {
    return this.#extensions
  }

  get plugins (): readonly string[] {
    return this.#extensions.plugins
  }

  get devices (): readonly HostedDevice[] {
    return [...this.#devices.values()]
  }

  createDevice (options: DeviceOptions & { readonly swappable: true }): Promise<SwappableDevice>
  createDevice (options: DeviceOptions): Promise<HostedDevice>
  async createDevice (options: DeviceOptions): Promise<HostedDevice> {
    const name = this.#takeName(options)
    let scope: Scope | undefined
    try {
      scope = this.#scope.child(`device ${name}`)
      const device = await this.#assemble(scope, name, options)
      this.#devices.set(name, device)
      return device
    } catch (error) {
      this.#names.delete(name)
      await scope?.close().catch((failure: unknown) => {
        this.#logger.error({ device: name, err: failure }, 'a device that failed to start did not close either')
      })
      throw error
    }
  }

  close (): Promise<void> {
    return this.#scope.close()
  }

  [Symbol.asyncDispose] (): Promise<void> {
    return this.close()
  }

  #addService (service: HostService, owner: string): void {
    const what = `The service '${service.name}' of ${owner}`
    try {
      this.#scope.setValue(service.token, this.#scope.build(what, service.provider))
    } catch (error) {
      throw explainFailure(error, 'PCIKIT_PLUGIN_INVALID', `${what} threw when it was built.`)
    }
  }

  async #assemble (
    scope: Scope,
    name: string,
    options: DeviceOptions
  ): Promise<HostedDevice | SwappableDevice> {
    scope.setValue(DEVICE_IDENTITY, { name, type: options.type })
    const [recorder, logger] = [this.record.forDevice(name), this.#logger.child({ device: name })]
    scope.setValue(LOGGER, logger).setValue(RECORDER, recorder)
    const chosen = this.#chooseDma(options)
    const dma = await buildContribution(
      scope,
      DMA_MANAGER,
      this.#extensions.get(DMA_MANAGER, chosen.type),
      chosen.options
    )
    scope.onClose('the DMA manager', () => dma.close())
    scope.setValue(DMA_SPACE, dma).setValue(BUS_MASTER, dma)
    const device = await this.#buildDevice(scope, name, dma, options)
    scope.onClose('the device', () => device.close())
    const type = this.#extensions.get(DEVICE, options.type)
    await attemptFor(DEVICE, type, 'was started', () => startDevice(name, device))
    const way = this.#extensions.get(TRANSPORT, options.transport.type)
    const transport = await buildContribution(scope, TRANSPORT, way, options.transport.options)
    scope.beforeClose('the transport', () => transport.close())
    const endpoint = new HostedEndpoint(scope, name, device, dma, { recorder, logger })
    if (device instanceof DeviceSlot) device.serve(endpoint)
    await attemptFor(TRANSPORT, way, 'was told to listen', () => transport.listen(endpoint))
    const close = async (): Promise<void> => {
      this.#devices.delete(name)
      await scope.close().finally(() => this.#names.delete(name))
    }
    const hosted = { name, type: options.type, address: transport.address, close, [Symbol.asyncDispose]: close }
    if (!(device instanceof DeviceSlot)) return hosted
    return { ...hosted, swap: plugin => device.swap(plugin), takeOffBus: error => device.takeOffBus(error) }
  }

  /** Builds a device, or the slot of one whose code can be exchanged. */
  async #buildDevice (scope: Scope, name: string, dma: DmaManager, options: DeviceOptions): Promise<Device> {
    const contribution = this.#extensions.get(DEVICE, options.type)
    if (options.swappable !== true) return buildContribution(scope, DEVICE, contribution, options.options)
    // Before the clients' scopes, so that it closes after them.
    const own = scope.child(`the code of ${name}`)
    const memory = scope.has(SHARED_MEMORY) ? new KeptMemory(scope.resolve(SHARED_MEMORY)) : undefined
    const slot = await DeviceSlot.build(
      { name, scope: own, dma, memory, options: options.options ?? {} },
      contribution,
      { logger: scope.resolve(LOGGER), recorder: scope.resolve(RECORDER) }
    )
    scope.beforeClose('the exchange of its code', () => slot.stop())
    return slot
  }

  #chooseDma (options: DeviceOptions): Choice {
    if (options.dma !== undefined) return options.dma
    const managers = this.#extensions.list(DMA_MANAGER)
    const [only] = managers
    if (only !== undefined && managers.length === 1) return { type: only.value.name }
    const names = managers.map(each => `'${each.value.name}' of ${each.plugin}`)
    throw new PcikitError(
      'PCIKIT_OPTION_INVALID',
      only === undefined ?
        'No registered plugin contributes a DMA manager. Register @pcikit/dma.' :
        `There is more than one DMA manager: ${names.join(', ')}. Say which one in the option \`dma\`.`
    )
  }

  #takeName (options: DeviceOptions): string {
    const name = options.name ?? this.#nextName(options.type)
    if (this.#names.has(name)) {
      throw new PcikitError(
        'PCIKIT_DEVICE_NAME_DUPLICATE',
        `There is a device '${name}' in this host already. Give this one another name, or close that one first.`,
        { details: { name } }
      )
    }
    this.#names.add(name)
    return name
  }

  #nextName (type: string): string {
    let name = type
    for (let number = 2; this.#names.has(name); number++) name = `${type}-${number}`
    return name
  }
}

/** Does something with a plugin, in which it may be refused. */
function attempt (plugin: Plugin, onRefusal: HostOptions['onRefusal'], action: () => void): void {
  try {
    action()
  } catch (error) {
    if (onRefusal === undefined || !isPcikitError(error)) throw error
    onRefusal(plugin, error)
  }
}
