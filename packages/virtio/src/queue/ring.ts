import type { DmaFault, DmaSpace } from '@pcikit/core'
import type { ChainRecord } from './chain-record.js'
import type { VirtqueueFeatures, VirtqueuePlace } from './queue-engine.js'
import type { UsedList } from './used-list.js'

/**
 * How a look at a ring ended.
 *
 * - DONE: it took place.
 * - NOTHING: there is nothing to do.
 * - ASK: the client does not share the memory. Await `ask`, and try again.
 * - FAULT: the memory is away. See `fault`.
 * - BROKEN: the driver broke a rule. See `reason`.
 */
export const RingOutcome = Object.freeze({ DONE: 0, NOTHING: 1, ASK: 2, FAULT: 3, BROKEN: 4 } as const)
export type RingOutcome = (typeof RingOutcome)[keyof typeof RingOutcome]

/** What a ring is made from. */
export interface RingSpecification {
  readonly dma: DmaSpace
  readonly place: VirtqueuePlace
  readonly features: VirtqueueFeatures
  /** Descriptors of a chain that uses a table, at most. */
  readonly chainMax: number
}

/** The rings of a queue, in either format. Everything can be tried again at any time, and nothing happens twice. */
export interface Ring {
  readonly fault: DmaFault
  readonly reason: string
  /** Buffers (packed: descriptors) that were published and that the driver had not taken when it was looked at last. */
  readonly behind: number
  /** Copies the next available buffer into a record. */
  take(record: ChainRecord): RingOutcome
  /** Tells the driver about everything that is ready, and drops it from the list. */
  publish(used: UsedList): RingOutcome
  /** Whether the driver wants an interrupt for what was published since the last time: DONE or NOTHING. */
  checkInterrupt(): RingOutcome
  /**
   * Looks how far the driver has come, and returns how many buffers (packed: descriptors) it took since the last time.
   * 0 where it cannot be seen.
   */
  followDriver(): number
  /** Asks the driver to notify when it makes the next buffer available. One more look has to follow. */
  arm(): RingOutcome
  /** Asks the driver not to notify. True: it may do so all the same. */
  disarm(): boolean
  /** After ASK: has the client do what was wanted. */
  ask(): Promise<DmaFault>
  overlaps(iova: number, byteLength: number): boolean
  /** It may be in other memory now. */
  moved(): void
  close(): void
}
