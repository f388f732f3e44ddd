import type { ClassProvider, DependencyContainer } from 'tsyringe'
import type { Device } from './device.js'
import type { DmaManager } from './dma.js'
import { PcikitError } from './errors.js'
import type { StandardSchema } from './standard-schema.js'
import type { Token } from './token.js'
import type { Transport } from './transport.js'

/** Raised only when a plugin that was built earlier can no longer run. Compared when a plugin is registered. */
export const PLUGIN_API_VERSION = 1

/** Marks a plugin, whichever copy of this package made it. */
export const pcikitPlugin: unique symbol = Symbol.for('@pcikit/plugin') as never

/**
 * Something that plugins can contribute to. Points are global by `id`, like tokens. Contributions are told apart by
 * their `name`; a second one of the same name is refused.
 */
export interface ExtensionPoint<C extends NamedContribution> {
  readonly id: string
  /** What one contribution is called in messages: 'device type'. */
  readonly noun: string
  readonly __type?: C
}

/** The least a contribution has. */
export interface NamedContribution {
  /** What users write to choose it: 'nvme', 'memory'. Lower case, digits and dashes. */
  readonly name: string
  /** One sentence for lists. */
  readonly summary: string
}

/** Makes an extension point. */
export function defineExtensionPoint<C extends NamedContribution> (id: string, noun: string): ExtensionPoint<C> {
  return Object.freeze({ id, noun })
}

/** How to build a service, in tsyringe's vocabulary. */
export type Provider<T> = ClassProvider<T> | { readonly useFactory: (container: DependencyContainer) => T }

/** A named service that is built with options of its own. Options are parsed by `options` before it is built. */
export interface ServiceContribution<T, Options = unknown> extends NamedContribution {
  readonly options: StandardSchema<unknown, Options>
  /** Builds it. It may inject whatever src/tokens.ts lists for its kind. */
  readonly provider: Provider<T>
}

/** A device type: contributes {@link Device}. */
export type DeviceContribution<Options = unknown> = ServiceContribution<Device, Options>

/** A transport: contributes {@link Transport}. */
export type TransportContribution<Options = unknown> = ServiceContribution<Transport, Options>

/** A DMA manager: contributes {@link DmaManager}. */
export type DmaManagerContribution<Options = unknown> = ServiceContribution<DmaManager, Options>

/** Where plugins contribute device types. */
export const DEVICE: ExtensionPoint<DeviceContribution> = defineExtensionPoint('@pcikit/core/device', 'device type')
/** Where plugins contribute transports. */
export const TRANSPORT: ExtensionPoint<TransportContribution> = defineExtensionPoint(
  '@pcikit/core/transport',
  'transport'
)
/** Where plugins contribute DMA managers. */
export const DMA_MANAGER: ExtensionPoint<DmaManagerContribution> = defineExtensionPoint(
  '@pcikit/core/dma-manager',
  'DMA manager'
)

/** A service for every device of a host: built once, in the order of the plugins, and injected by its token. */
export interface HostService<T = unknown> extends NamedContribution {
  readonly token: Token<T>
  readonly provider: Provider<T>
}

/** Where plugins contribute services that devices inject. */
export const SERVICE: ExtensionPoint<HostService> = defineExtensionPoint('@pcikit/core/service', 'service')

/** One contribution to one extension point. Made by {@link contribute}. */
export interface Contribution {
  readonly point: ExtensionPoint<NamedContribution>
  readonly value: NamedContribution
}

/** Pairs a contribution with its extension point, typed. */
export function contribute<C extends NamedContribution> (point: ExtensionPoint<C>, value: C): Contribution {
  return Object.freeze({ point, value })
}

/** What a plugin says about itself. */
export interface PluginManifest {
  /** The name of the package that holds it. */
  readonly name: string
  /** The plugin API that it was built for: `api: PLUGIN_API_VERSION`, or the number itself. */
  readonly api: number
  readonly contributes: readonly Contribution[]
}

/** Where a plugin was loaded from, for messages and lists. */
export interface PluginOrigin {
  /** The module that was imported: an absolute path. */
  readonly file: string
  /** The version of its package, where it has one. */
  readonly version?: string
}

/** A plugin: an object that does nothing until a host registers it. Made by {@link definePlugin}. */
export interface Plugin extends PluginManifest {
  readonly [pcikitPlugin]: true
  /** Only there where the host's loader loaded it: a program that imports a plugin itself knows. */
  readonly origin?: PluginOrigin
}

/** Makes a plugin of its manifest. The default export of a plugin's package is its result. */
export function definePlugin (manifest: PluginManifest): Plugin {
  if (typeof manifest.name !== 'string' || manifest.name === '') {
    throw new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      'A plugin has no name. Pass the name of its package as `name` to definePlugin().'
    )
  }
  return Object.freeze({
    ...manifest,
    contributes: Object.freeze([...manifest.contributes]),
    [pcikitPlugin]: true as const
  })
}

/** Tells whether a value is a plugin of any copy of this package. */
export function isPlugin (value: unknown): value is Plugin {
  return typeof value === 'object' && value !== null && pcikitPlugin in value
}

/** The contributions of all registered plugins. Injected as `EXTENSIONS`. */
export interface Extensions {
  /** In the order of registration. */
  list<C extends NamedContribution>(point: ExtensionPoint<C>): readonly OwnedContribution<C>[]
  /** Throws PCIKIT_EXTENSION_NOT_FOUND, which lists what there is, for a name that nobody contributed. */
  get<C extends NamedContribution>(point: ExtensionPoint<C>, name: string): OwnedContribution<C>
}

/** A contribution and the plugin that it came from. */
export interface OwnedContribution<C extends NamedContribution> {
  readonly value: C
  /** The name of the plugin's package. */
  readonly plugin: string
}
