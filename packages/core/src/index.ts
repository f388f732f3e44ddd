/**
 * The contract of pcikit: what a device, a transport and a DMA manager are, and how a plugin offers them.
 * The program that runs them is in `@pcikit/core/host`.
 *
 * @example
 * ```ts
 * import { contribute, definePlugin, DEVICE, PLUGIN_API_VERSION } from '@pcikit/core'
 * import type { DeviceContribution } from '@pcikit/core'
 *
 * export function createPlugin (device: DeviceContribution) {
 *   const contributes = [contribute(DEVICE, device)]
 *   return definePlugin({ name: 'pcikit-device-example', api: PLUGIN_API_VERSION, contributes })
 * }
 * ```
 *
 * @packageDocumentation
 */
import 'reflect-metadata'

export { createToken } from './token.js'
export type { Token } from './token.js'
export {
  assert,
  AssertionError,
  Errno,
  isPcikitError,
  isProtocolError,
  PcikitError,
  pcikitError,
  ProtocolError,
  protocolError
} from './errors.js'
export type { PcikitErrorCode, PcikitErrorOptions } from './errors.js'
export { silentLogger } from './logger.js'
export type { Logger, LogMethod } from './logger.js'
export { silentRecorder } from './recorder.js'
export type { Recorder, RecordEvent } from './recorder.js'
export type { Subscription } from './subscription.js'
export { DmaAccess, DmaFault } from './dma.js'
export type {
  DmaLease,
  DmaListener,
  DmaManager,
  DmaPeek,
  DmaPort,
  DmaRegion,
  DmaSpace,
  DmaWindow,
  SegmentList
} from './dma.js'
export { FaultPolicy } from './fault-policy.js'
export { dropFaults } from './dropping-dma.js'
export { IRQ_INDEX_COUNT, IrqIndex } from './interrupts.js'
export type { InterruptLines, InterruptMode, Interrupts, IrqInfo, IrqTrigger } from './interrupts.js'
export { REGION_COUNT, RegionIndex } from './pci-function.js'
export type { MappableArea, PciFunction, RegionInfo, RegionIoEvent, RegionMemory } from './pci-function.js'
export type { Device, DeviceIdentity, DeviceState } from './device.js'
export type { ClientConnection, DeviceEndpoint, Transport } from './transport.js'
export type { SchemaIssue, SchemaResult, StandardSchema } from './standard-schema.js'
export {
  contribute,
  defineExtensionPoint,
  definePlugin,
  DEVICE,
  DMA_MANAGER,
  isPlugin,
  pcikitPlugin,
  PLUGIN_API_VERSION,
  SERVICE,
  TRANSPORT
} from './plugin.js'
export type {
  Contribution,
  DeviceContribution,
  DmaManagerContribution,
  ExtensionPoint,
  Extensions,
  HostService,
  NamedContribution,
  OwnedContribution,
  Plugin,
  PluginManifest,
  PluginOrigin,
  Provider,
  ServiceContribution,
  TransportContribution
} from './plugin.js'
export {
  BUS_MASTER,
  DEVICE_IDENTITY,
  DMA_SPACE,
  EVENT_LOOP,
  EXTENSIONS,
  LOGGER,
  OPTIONS,
  RECORDER,
  SHARED_MEMORY
} from './tokens.js'
export type { BusMasterSwitch, SharedMemory, SharedMemoryFactory } from './tokens.js'
export { WorkList } from './work-list.js'
export { InterruptModeration, NOTHING_ASKED } from './interrupt-moderation.js'
export type { AskedModeration, ModeratedQueue, ModerationSurroundings } from './interrupt-moderation.js'
export { InterruptPace } from './interrupt-pace.js'
export { endsWithin } from './ends-within.js'
export { BlindEventLoop } from './event-loop.js'
export type { EventLoopView, LoopTurn } from './event-loop.js'
export { PollLoop } from './poll-loop.js'
export type { PollTargets, PollTimes } from './poll-loop.js'
export { REAL_CLOCK, TurnLoop } from './turn-loop.js'
export type { Clock, TurnTargets } from './turn-loop.js'
export { StallWatch } from './stall-watch.js'
