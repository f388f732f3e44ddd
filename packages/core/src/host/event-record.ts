import type { Recorder, RecordEvent } from '../recorder.js'
import type { Subscription } from '../subscription.js'

/** An event as it was taken down. */
export type RecordEntry = RecordEvent & {
  /** Counts from 1, over all devices: the order in which things happened. */
  readonly sequence: number
  /** Milliseconds since 1970, with fractions; never goes back within one process. */
  readonly timeMs: number
  /** The device that it happened to. */
  readonly device: string
}

const CAPACITY = 16_384

/**
 * Keeps the last events of all devices in memory, so that "what removed that region?" has an answer even when nobody
 * thought of asking before. Only changes and faults are taken down, never the data path.
 */
export class EventRecord {
  readonly #capacity: number
  readonly #ring: RecordEntry[] = []
  readonly #listeners = new Set<(entry: RecordEntry) => void>()
  #sequence = 0

  /** @param capacity how many events are kept; the oldest make room */
  constructor (capacity = CAPACITY) {
    this.#capacity = capacity
  }

  /** How many events there were, kept or not. */
  get count (): number {
    return this.#sequence
  }

  /** What one device writes to. */
  forDevice (device: string): Recorder {
    return { record: event => this.#add(device, event) }
  }

  /** The events that are kept, the oldest first. */
  entries (): readonly RecordEntry[] {
    const oldest = this.#sequence % this.#capacity
    if (this.#sequence <= this.#capacity) return [...this.#ring]
    return [...this.#ring.slice(oldest), ...this.#ring.slice(0, oldest)]
  }

  /** Calls `listener` for every event from now on. It must not throw. */
  subscribe (listener: (entry: RecordEntry) => void): Subscription {
    this.#listeners.add(listener)
    return { close: () => void this.#listeners.delete(listener) }
  }

  #add (device: string, event: RecordEvent): void {
    const timeMs = performance.timeOrigin + performance.now()
    const entry: RecordEntry = { sequence: this.#sequence + 1, timeMs, device, ...event }
    this.#ring[this.#sequence % this.#capacity] = entry
    this.#sequence++
    for (const listener of this.#listeners) listener(entry)
  }
}
