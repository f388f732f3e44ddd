import type { DeviceIdentity } from './device.js'
import type { DmaSpace } from './dma.js'
import type { EventLoopView } from './event-loop.js'
import type { Logger } from './logger.js'
import type { Extensions } from './plugin.js'
import type { Recorder } from './recorder.js'
import { createToken } from './token.js'
import type { Token } from './token.js'

/** For everything: where to log. */
export const LOGGER: Token<Logger> = createToken('@pcikit/core/Logger')
/** For everything: what keeps the record of maps, unmaps, resets and faults. */
export const RECORDER: Token<Recorder> = createToken('@pcikit/core/Recorder')
/** For everything: what plugins contributed, to build upon extension points of one's own. */
export const EXTENSIONS: Token<Extensions> = createToken('@pcikit/core/Extensions')
/** For devices, transports and DMA managers: their own options, as their schema parsed them. */
export const OPTIONS: Token<never> = createToken('@pcikit/core/Options')
/** For devices, transports and DMA managers: which device they belong to. */
export const DEVICE_IDENTITY: Token<DeviceIdentity> = createToken('@pcikit/core/DeviceIdentity')
/** For devices: guest memory. */
export const DMA_SPACE: Token<DmaSpace> = createToken('@pcikit/core/DmaSpace')
/** For devices: switches bus mastering, which only the function's own command register may do. */
export const BUS_MASTER: Token<BusMasterSwitch> = createToken('@pcikit/core/BusMasterSwitch')

/** Follows the Bus Master Enable bit of the function's Command register. */
export interface BusMasterSwitch {
  setBusMaster(enabled: boolean): void
}
/** For devices: makes memory that clients can map. Only there where the program that runs the host provides it. */
export const SHARED_MEMORY: Token<SharedMemoryFactory> = createToken('@pcikit/core/SharedMemoryFactory')

/**
 * For devices that poll: looks at the event loop. Only there where the program that runs the host provides it.
 */
export const EVENT_LOOP: Token<EventLoopView> = createToken('@pcikit/core/EventLoopView')

/** Memory of this process that a client can map too. */
export interface SharedMemory {
  /** A file that holds the memory, from its start. Closed by `close`. */
  readonly descriptor: number
  /** The memory, zeroed when new. Empty after `close`. */
  readonly bytes: Uint8Array
  /** Lets the memory and the descriptor go. Calling it twice does nothing. */
  close(): void
}

/** Makes {@link SharedMemory}. */
export interface SharedMemoryFactory {
  /** `byteLength` is a multiple of 4 KiB; `name` is for people who look at the process. */
  create(name: string, byteLength: number): SharedMemory
}
