import type { DmaSpace, FaultPolicy, Logger } from '@pcikit/core'
import type { VirtqueueDescription, VirtqueueTimes } from '../device-model.js'
import type { QueueEngine, QueueEvents } from '../queue/queue-engine.js'

/** What the queues of a device work in. */
export interface QueueEngineSurroundings {
  readonly dma: DmaSpace
  readonly logger: Logger
  readonly queues: readonly VirtqueueDescription[]
  readonly times: VirtqueueTimes
  readonly faultPolicy: FaultPolicy
  readonly graceMs: number
  readonly events: QueueEvents
}

/** Makes the queues of a device. */
export type QueueEngineFactory = (surroundings: QueueEngineSurroundings) => QueueEngine
