import type { DataBuffer } from '../guest/data-buffer.js'
import type { BlockRun } from './block-model.js'
import type { ChaosRandom } from './chaos-random.js'

/**
 * What a command came to: it succeeded, it failed as a command does whose memory is not there, or it ended with
 * something else, in words.
 */
export type ChaosOutcome = 'success' | 'memory fault' | `status ${string}`

/** Commands on a queue of a disk. What a reset took away rejects with CommandAbandonedError. */
export interface ChaosQueue {
  read(run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome>
  write(run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome>
  zeroes(run: BlockRun): Promise<ChaosOutcome>
  flush(): Promise<ChaosOutcome>
  /** A command that returns what is known. Rejects where it is something else. */
  identify(): Promise<ChaosOutcome>
  /** Without it, a read does. */
  compare?(run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome>
}

/** A kind of disk, as a load needs it that moves blocks. */
export interface ChaosDisk {
  /** See {@link ChaosLoad.resets}. */
  readonly resets: readonly string[]
  /** Where buffers may start in their pages: multiples of it. */
  readonly alignmentBytes: number
  /** The queues since the last start. */
  readonly queues: readonly ChaosQueue[]
  /** What the device did that it must not. */
  readonly anomalies: readonly string[]
  reset(name: string): Promise<void>
  /** Brings the device from the state after any reset to work, in one of the ways there are. */
  start(random: ChaosRandom): Promise<void>
  /** The device was reset. */
  abandon(reason: string): void
}
