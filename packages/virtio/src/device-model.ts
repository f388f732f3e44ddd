import type { BusMasterSwitch, DmaSpace, FaultPolicy, Interrupts, Logger, PciFunction, Recorder } from '@pcikit/core'
import type { EventLoopView, RegionMemory, SharedMemoryFactory } from '@pcikit/core'
import type { VirtqueueChain } from './chain.js'
import type { FeatureSet } from './feature.js'

/** Device types. [virtio] "Device Types". Any other number works as well. */
export const VirtioDeviceType = Object.freeze(
  {
    NETWORK: 1,
    BLOCK: 2,
    CONSOLE: 3,
    ENTROPY: 4,
    BALLOON: 5,
    SCSI: 8,
    GPU: 16,
    INPUT: 18,
    VSOCK: 19,
    FILESYSTEM: 26
  } as const
)
export type VirtioDeviceType = (typeof VirtioDeviceType)[keyof typeof VirtioDeviceType]

/** Device-specific configuration, little-endian as the driver sees it. [virtio] "Device Configuration Space". */
export interface VirtioConfig {
  /** The fields. The device may change them at any time, and then calls {@link VirtioDevice.configChanged}. */
  readonly view: DataView
  /**
   * Takes a write by the driver: 1, 2 or 4 bytes, aligned, inside of the view, after FEATURES_OK. Without it all fields
   * are read-only.
   */
  write?(offset: number, size: number, value: number): void
}

/** A queue as its device offers it. */
export interface VirtqueueDescription {
  /** Entries at most, 1 to 32768: a power of two. The driver may choose fewer. */
  readonly entriesMax: number
}

/** Memory that the driver maps. [virtio] "Shared Memory Regions", "Shared memory capability". One for a device. */
export interface VirtioSharedMemory {
  /** shmid, 0 to 255. */
  readonly id: number
  /** A multiple of 4 KiB. */
  readonly byteLength: number
  readonly memory: RegionMemory
  /** The same bytes in this process, for clients that map nothing. Without them those read zeroes and write nothing. */
  readonly bytes?: Uint8Array
}

/** How queues are looked at. */
export interface VirtqueueTimes {
  /**
   * trap: the driver's notifications are messages, and a busy queue is looked at without them. mmap: the client maps
   * the notification page, and the device polls the queues.
   */
  readonly doorbells: 'trap' | 'mmap'
  /** trap: how long a queue is looked at after its last work before the driver has to notify again, in microseconds. */
  readonly watchUs: number
  /** mmap: how often at least the event loop has its turn, in microseconds. */
  readonly pollSocketUs: number
  /** mmap: how long queues are polled after the last work, in microseconds. */
  readonly pollIdleUs: number
  /** mmap: how often an idle device looks at its queues, in milliseconds. */
  readonly pollBackOffMs: number
}

/** A virtio device as its author describes it. */
export interface VirtioDescription {
  readonly deviceType: number
  /** [PCIe] "Class Code", in 24 bits. */
  readonly classCode: number
  /** Feature bits of the device type that are offered. Those of queues and transport are added. */
  readonly features?: Iterable<number>
  /** Reserved feature bits that are not to be offered, for tests and for drivers that get them wrong. */
  readonly withoutFeatures?: Iterable<number>
  readonly queues: readonly VirtqueueDescription[]
  readonly config?: VirtioConfig
  readonly sharedMemory?: readonly VirtioSharedMemory[]
  /** MSI-X vectors: one for each queue and one for configuration changes where not given. 0: INTx only. */
  readonly msixVectors?: number
  readonly faultPolicy?: FaultPolicy
  /** How long the memory of a queue may stay away with fault policy `fault`, in milliseconds. */
  readonly graceMs?: number
  readonly times?: Partial<VirtqueueTimes>
  /**
   * adaptive: a driver that takes used buffers in bunches is interrupted once for a bunch, which may make it wait for a
   * millisecond at most; for buffers that are used as soon as they are taken, with EVENT_IDX. off, unless given:
   * whenever it wants to be.
   */
  readonly interruptModeration?: 'adaptive' | 'off'
}

/** What the device does. Calls come one at a time and must not throw; what throws ends in NEEDS_RESET. */
export interface VirtioModel {
  /** A buffer was made available. The driver has set DRIVER_OK. */
  take(chain: VirtqueueChain): void
  /**
   * The driver accepted features, before it uses any queue. Returning a text refuses them: FEATURES_OK stays clear and
   * the text is logged.
   */
  negotiated?(features: FeatureSet): string | undefined
  /**
   * Everything goes back to the state of power-on: forget what was negotiated, and complete the chains that are kept.
   * They are not live any more. A promise delays the end of the reset, during which nothing else is called. Also called
   * when the device is closed.
   */
  reset?(): void | Promise<void>
  /** For a device that polls: looks for work that ended meanwhile. True: there was some. See `BlockBackend.poll`. */
  poll?(mayWait: boolean): boolean
}

/** What a virtio device is built with: resolve each from the container. */
export interface VirtioServices {
  readonly name: string
  readonly dma: DmaSpace
  readonly busMaster: BusMasterSwitch
  readonly recorder: Recorder
  readonly logger: Logger
  /** Only for mapped doorbells. */
  readonly sharedMemory?: SharedMemoryFactory | undefined
  /** For the same. Without it the device has a turn of the event loop more often than it must. */
  readonly eventLoop?: EventLoopView | undefined
}

/** A virtio device at work. */
export interface VirtioDevice {
  readonly function: PciFunction
  readonly interrupts: Interrupts
  /** What was negotiated; empty before FEATURES_OK. */
  readonly features: FeatureSet
  /** Fields of the configuration changed: the generation counts up, and the driver is interrupted. */
  configChanged(): void
  /** The device cannot go on: DEVICE_NEEDS_RESET, with a line in the log. [virtio] "Device Status Field". */
  fail(reason: string): void
  /** For `Device.clientGone`. */
  clientGone(): void
  /** Stops all queues. Resolves when no DMA can follow and every chain was completed, or after some seconds. */
  close(): Promise<void>
}
