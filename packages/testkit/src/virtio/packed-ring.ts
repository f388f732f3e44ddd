import { storePacked } from './descriptor.js'
import type { PackedFields, RawDescriptor } from './descriptor.js'
import { hasPassed } from './driver-ring.js'
import type { DriverRing, QueuePlace, RingOptions, UsedChain } from './driver-ring.js'
import { DescriptorFlag, DESCRIPTOR_BYTES, EventFlag, PackedDescriptor } from './layouts.js'
import type { RingMemory } from './ring-memory.js'
import { takeBatch } from './used-batch.js'

const WRAP_SHIFT = 15
const OFFSET_MASK = 0x7fff

/**
 * The driver's half of a packed virtqueue. [virtio] "Packed Virtqueues".
 *
 * ```
 *        used, wrap w          available, wrap w
 *             ▼                      ▼
 *   | … | given back | with the device | free | …        one ring, written by both sides
 * ```
 */
export class PackedRing implements DriverRing {
  readonly size: number
  readonly place: QueuePlace
  readonly #memory: RingMemory
  readonly #options: RingOptions
  readonly #freeIds: number[]
  /** How many descriptors each chain takes that the device has, by ID, in the order in which they were added. */
  readonly #chains = new Map<number, number>()
  readonly #skipped: UsedChain[] = []
  #freeCount: number
  #next = 0
  #wrap = 1
  #used = 0
  #usedWrap = 1
  /** Descriptors that were made available since the device was last told. */
  #unnotified = 0
  /** What makes all that was added available: the last word of its first descriptor. */
  #first: { readonly iova: number, readonly word: number } | undefined

  constructor (memory: RingMemory, options: RingOptions) {
    this.size = options.size
    this.place = options.place
    this.#memory = memory
    this.#options = options
    this.#freeCount = options.size
    this.#freeIds = Array.from({ length: options.size }, (_, id) => id)
  }

  get pendingCount (): number {
    return this.#chains.size
  }

  get notificationData (): number {
    return this.#next | this.#wrap << WRAP_SHIFT
  }

  hasRoom (descriptorCount: number): boolean {
    return descriptorCount <= this.#freeCount
  }

  addRaw (descriptors: readonly RawDescriptor[]): number {
    if (descriptors.length === 0) throw new RangeError('A chain has at least one descriptor.')
    if (!this.hasRoom(descriptors.length)) throw new RangeError('The ring has no room for the chain.')
    const id = this.#freeIds.shift()!
    this.#freeCount -= descriptors.length
    this.#chains.set(id, descriptors.length)
    for (const { addr, len, flags } of descriptors) this.#append({ addr, len, flags, id })
    return id
  }

  publish (): void {
    if (this.#first === undefined) return
    this.#memory.storeWord(this.#first.iova, this.#first.word)
    this.#first = undefined
  }

  wantsNotification (): boolean {
    const count = this.#unnotified
    this.#unnotified = 0
    if (count === 0) return false
    const word = this.#memory.loadWord(this.place.device)
    const flags = word >>> 16 & 3
    if (flags !== EventFlag.DESC || !this.#options.hasEventIndex) return flags !== EventFlag.DISABLE
    const isThisRound = (word >>> WRAP_SHIFT & 1) === this.#wrap
    const event = (word & OFFSET_MASK) - (isThisRound ? 0 : this.size)
    return hasPassed(event, this.#next - count, this.#next)
  }

  take (): UsedChain | undefined {
    const skipped = this.#skipped.shift()
    if (skipped !== undefined) return skipped
    const at = this.place.descriptors + this.#used * DESCRIPTOR_BYTES
    const word = this.#memory.loadWord(at + PackedDescriptor.id.offset)
    const flags = word >>> 16
    if (!this.#isUsed(flags) || this.#chains.size === 0) return undefined
    const written = (flags & DescriptorFlag.WRITE) === 0 ? 0 : this.#memory.loadWord(at + PackedDescriptor.len.offset)
    const batch = takeBatch(this.#chains, word & 0xffff, written, this.#options.isInOrder)
    for (const { used, details } of batch) {
      this.#freeIds.push(used.id)
      this.#advanceUsed(details)
    }
    this.#skipped.push(...batch.map(({ used }) => used))
    return this.#skipped.shift()
  }

  allowInterrupts (allowed: boolean): void {
    const next = this.#used | this.#usedWrap << WRAP_SHIFT
    if (!allowed) this.#memory.storeWord(this.place.driver, EventFlag.DISABLE << 16)
    else if (this.#options.hasEventIndex) this.#memory.storeWord(this.place.driver, next | EventFlag.DESC << 16)
    else this.#memory.storeWord(this.place.driver, EventFlag.ENABLE << 16)
  }

  /** Stores any descriptor, for tests: its flags are those given, AVAIL and USED included. */
  writeDescriptor (index: number, fields: PackedFields): void {
    const at = this.place.descriptors + index * DESCRIPTOR_BYTES
    const word = storePacked(this.#memory.memory, at, fields)
    this.#memory.storeWord(at + PackedDescriptor.id.offset, word)
  }

  /** Where the next descriptor goes, and the wrap counter, for tests. */
  get next (): { readonly index: number, readonly wrap: number } {
    return { index: this.#next, wrap: this.#wrap }
  }

  #append (fields: PackedFields): void {
    const at = this.place.descriptors + this.#next * DESCRIPTOR_BYTES
    const mark = this.#wrap === 1 ? DescriptorFlag.AVAIL : DescriptorFlag.USED
    const word = storePacked(this.#memory.memory, at, { ...fields, flags: fields.flags | mark })
    const iova = at + PackedDescriptor.id.offset
    // The device looks at descriptors in order: it sees none of them before it sees the first.
    if (this.#first === undefined) this.#first = { iova, word }
    else this.#memory.storeWord(iova, word)
    this.#unnotified++
    if (++this.#next < this.size) return
    this.#next = 0
    this.#wrap ^= 1
  }

  #isUsed (flags: number): boolean {
    const isAvailable = (flags & DescriptorFlag.AVAIL) === 0 ? 0 : 1
    const isUsed = (flags & DescriptorFlag.USED) === 0 ? 0 : 1
    return isAvailable === this.#usedWrap && isUsed === this.#usedWrap
  }

  #advanceUsed (count: number): void {
    this.#freeCount += count
    this.#used += count
    if (this.#used < this.size) return
    this.#used -= this.size
    this.#usedWrap ^= 1
  }
}
