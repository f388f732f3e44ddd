import type { DmaSpace, EventLoopView, FaultPolicy, Logger } from '@pcikit/core'
import type { VirtqueueChain } from '../chain.js'
import type { VirtqueueDescription, VirtqueueTimes } from '../device-model.js'

/** Where the driver put a queue. [virtio] "Common configuration structure layout". Addresses are below 2^53. */
export interface VirtqueuePlace {
  /** Entries: queue_size. */
  readonly size: number
  /** Descriptor Area: queue_desc. */
  readonly descriptorArea: number
  /** Driver Area: queue_driver. The available ring, or the driver's event suppression. */
  readonly driverArea: number
  /** Device Area: queue_device. The used ring, or the device's event suppression. */
  readonly deviceArea: number
}

/** What was negotiated, as far as queues are concerned. */
export interface VirtqueueFeatures {
  readonly isPacked: boolean
  readonly hasIndirect: boolean
  readonly hasEventIndex: boolean
  readonly isInOrder: boolean
}

/** What queues tell those around them. Calls must not throw. */
export interface QueueEvents {
  take(chain: VirtqueueChain): void
  /** The driver of a queue wants to be interrupted. Once for each turn of the queue. */
  interrupt(queueIndex: number): void
  /** The driver broke a rule, or the memory of a queue stays away: nothing is served until a reset. */
  broken(reason: string): void
  /** Looks for work that ended meanwhile. */
  poll(mayWait: boolean): boolean
}

/** What queues are made from. */
export interface QueueSurroundings {
  /** The space as it is, without `dropFaults`. */
  readonly dma: DmaSpace
  readonly logger: Logger
  readonly queues: readonly VirtqueueDescription[]
  readonly times: VirtqueueTimes
  readonly eventLoop?: EventLoopView | undefined
  readonly moderatesInterrupts: boolean
  readonly faultPolicy: FaultPolicy
  /** How long the memory of a queue may stay away with fault policy `fault`, in milliseconds. */
  readonly graceMs: number
  readonly events: QueueEvents
}

/** The queues of a device, as the transport drives them. */
export interface QueueEngine {
  /** The driver enabled a queue: queue_enable. It is served once {@link start} was called. */
  enable(queueIndex: number, place: VirtqueuePlace, features: VirtqueueFeatures): void
  /** DRIVER_OK. */
  start(): void
  /** The driver notified a queue. One that is not enabled is ignored. */
  notify(queueIndex: number): void
  /** Ring reset: resolves when no DMA of this queue can follow. The others run on. It can be enabled again then. */
  resetQueue(queueIndex: number): Promise<void>
  /** Stops and forgets all queues at once: chains in flight are not live any more. DMA is drained by the caller. */
  reset(): void
  /** Serves nothing until {@link reset}: the device needs one. */
  halt(): void
  /**
   * The client went. Nothing is served or told until a notification or a reset: where the rings were, the next client
   * may have something else.
   */
  suspend(): void
  /** Resolves when every chain that was taken was completed. */
  whenIdle(): Promise<void>
  close(): void
}
