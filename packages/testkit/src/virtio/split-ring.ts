import { storeSplit } from './descriptor.js'
import type { RawDescriptor, SplitFields } from './descriptor.js'
import { hasPassed } from './driver-ring.js'
import type { DriverRing, QueuePlace, RingOptions, UsedChain } from './driver-ring.js'
import { AvailableRing, DESCRIPTOR_BYTES, UsedRing } from './layouts.js'
import type { RingMemory } from './ring-memory.js'
import { takeBatch } from './used-batch.js'

/**
 * The driver's half of a split virtqueue. [virtio] "Split Virtqueues".
 *
 * ```
 *   descriptors  | 0 | 1 | 2 | …              any order, or one after the other (in order)
 *   available    flags idx | head head … | used_event       written here
 *   used         flags idx | id len … | avail_event         written by the device
 * ```
 */
export class SplitRing implements DriverRing {
  readonly size: number
  readonly place: QueuePlace
  readonly #memory: RingMemory
  readonly #options: RingOptions
  /** Descriptors that are free; the next to use is the first. In order they follow one another by themselves. */
  readonly #free: number[]
  /** The descriptors of each chain that the device has, by head, in the order in which they were added. */
  readonly #chains = new Map<number, readonly number[]>()
  readonly #skipped: UsedChain[] = []
  #added = 0
  #published = 0
  #notified = 0
  #used = 0

  constructor (memory: RingMemory, options: RingOptions) {
    this.size = options.size
    this.place = options.place
    this.#memory = memory
    this.#options = options
    this.#free = Array.from({ length: options.size }, (_, index) => index)
  }

  get pendingCount (): number {
    return this.#chains.size
  }

  get notificationData (): number {
    return this.#published
  }

  hasRoom (descriptorCount: number): boolean {
    return descriptorCount <= this.#free.length
  }

  addRaw (descriptors: readonly RawDescriptor[]): number {
    if (descriptors.length === 0) throw new RangeError('A chain has at least one descriptor.')
    if (!this.hasRoom(descriptors.length)) throw new RangeError('The ring has no room for the chain.')
    const indexes = this.#free.splice(0, descriptors.length)
    const head = indexes[0]!
    descriptors.forEach(({ addr, len, flags, next }, position) => {
      const target = next ?? position + 1
      const isLast = next === undefined && position === indexes.length - 1
      this.writeDescriptor(indexes[position]!, { addr, len, flags, next: isLast ? 0 : indexes[target] ?? target })
    })
    this.#chains.set(head, indexes)
    this.#memory.storeHalf(this.#availableAt(this.#added), head)
    this.#added = (this.#added + 1) & 0xffff
    return head
  }

  publish (): void {
    this.#published = this.#added
    this.setIndex(this.#published)
  }

  wantsNotification (): boolean {
    const before = this.#notified
    this.#notified = this.#published
    if (before === this.#published) return false
    if (!this.#options.hasEventIndex) return (this.#memory.loadHalf(this.place.device) & UsedRing.NO_NOTIFY) === 0
    const event = this.#memory.loadHalf(this.place.device + UsedRing.RING + UsedRing.ENTRY_BYTES * this.size)
    return hasPassed(event, before, this.#published)
  }

  take (): UsedChain | undefined {
    const skipped = this.#skipped.shift()
    if (skipped !== undefined) return skipped
    const ahead = (this.#memory.loadHalf(this.place.device + UsedRing.IDX) - this.#used) & 0xffff
    if (ahead === 0) return undefined
    if (ahead > this.#chains.size) throw new Error(`The used index is ${ahead} ahead, with ${this.#chains.size} out.`)
    const at = this.place.device + UsedRing.RING + UsedRing.ENTRY_BYTES * (this.#used % this.size)
    const id = this.#memory.loadWord(at)
    const batch = takeBatch(this.#chains, id, this.#memory.loadWord(at + 4), this.#options.isInOrder)
    for (const { details } of batch) this.#free.push(...details)
    this.#used = (this.#used + batch.length) & 0xffff
    this.#skipped.push(...batch.map(({ used }) => used))
    return this.#skipped.shift()
  }

  allowInterrupts (allowed: boolean): void {
    if (!this.#options.hasEventIndex) {
      return this.#memory.storeHalf(this.place.driver + AvailableRing.FLAGS, allowed ? 0 : AvailableRing.NO_INTERRUPT)
    }
    // Half the numbers away is as far as an event can be.
    const event = allowed ? this.#used : this.#used + 0x8000
    this.#memory.storeHalf(this.place.driver + AvailableRing.RING + AvailableRing.ENTRY_BYTES * this.size, event)
  }

  /** Stores any descriptor, for tests. */
  writeDescriptor (index: number, fields: SplitFields): void {
    storeSplit(this.#memory.memory, this.place.descriptors + index * DESCRIPTOR_BYTES, fields)
  }

  /** Makes any number available as the head of a chain, for tests. */
  offerHead (head: number): void {
    this.#memory.storeHalf(this.#availableAt(this.#added), head)
    this.#added = (this.#added + 1) & 0xffff
    this.publish()
  }

  /** Writes any index to the available ring, for tests. */
  setIndex (index: number): void {
    this.#memory.storeHalf(this.place.driver + AvailableRing.IDX, index)
  }

  /** How far the available ring is, for tests. */
  get index (): number {
    return this.#published
  }

  #availableAt (index: number): number {
    return this.place.driver + AvailableRing.RING + AvailableRing.ENTRY_BYTES * (index % this.size)
  }
}
