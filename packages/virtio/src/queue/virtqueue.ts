import { assert, DmaFault, InterruptPace } from '@pcikit/core'
import type { DmaSpace, ModeratedQueue } from '@pcikit/core'
import type { ChainRecord, RecordOwner } from './chain-record.js'
import { PackedRing } from './packed-ring.js'
import type { VirtqueueFeatures, VirtqueuePlace } from './queue-engine.js'
import { RecordPool } from './record-pool.js'
import type { Ring } from './ring.js'
import { SplitRing } from './split-ring.js'
import { UsedList } from './used-list.js'

const LENGTH_MAX = 0xffff_ffff

/** What a queue works with, and whom it tells. */
export interface VirtqueueSurroundings {
  /** For rings and tables. */
  readonly dma: DmaSpace
  /** For buffers: the same, but for what the fault policy makes of it. */
  readonly data: DmaSpace
  /** The list of used buffers has something that is ready. */
  usedReady(queue: Virtqueue): void
  /** A record holds a chain. */
  taken(): void
  /** A record was given back. */
  released(queue: Virtqueue): void
  faulted(record: ChainRecord): void
}

/** A queue: its rings while it is enabled, and its records for as long as the device lives. */
export class Virtqueue implements RecordOwner, ModeratedQueue {
  readonly queueIndex: number
  readonly pool: RecordPool
  ring: Ring | undefined = undefined
  used: UsedList = new UsedList(1, false)
  /** It may have something new, and could not be looked at. */
  isServeDue = false
  /** In the scheduler's lists of queues to serve, to publish, to interrupt for, and to look at in the next turn. */
  isListed = false
  isPublishable = false
  isNoticeDue = false
  isWatched = false
  /** The client is asked for something. */
  isAsking = false
  /** The driver notified, and nobody has looked since. */
  isRung = false
  /** Its memory is away, and why. */
  isStalled = false
  fault: DmaFault = DmaFault.NONE
  /** The driver notifies when it makes the next buffer available. */
  isArmed = false
  /** All records are in use. */
  needsRecord = false
  /** When it had something new, or told something, last. */
  busyAtMs = 0
  /** For how long it is looked at after its last work, as its driver has shown to be of use. */
  watchMs = 0
  /** Where it is polled: for how many scans it still counts as busy, and whether the driver has to be told. */
  heat = 0
  isQuietDue = false
  pace = new InterruptPace()
  readonly #entriesMax: number
  readonly #surroundings: VirtqueueSurroundings
  #waiters: (() => void)[] = []

  constructor (queueIndex: number, entriesMax: number, surroundings: VirtqueueSurroundings) {
    this.queueIndex = queueIndex
    this.#entriesMax = entriesMax
    this.#surroundings = surroundings
    this.pool = new RecordPool(surroundings.data, entriesMax, this)
  }

  get isOpen (): boolean {
    return this.ring !== undefined
  }

  get untaken (): number {
    return this.ring?.behind ?? 0
  }

  /** Buffers that were taken are not complete yet. */
  get isExpecting (): boolean {
    return this.pool.inUse > 0
  }

  /** Whether its rings can be looked at. */
  get isServable (): boolean {
    return this.ring !== undefined && !this.isStalled && !this.isAsking
  }

  enable (place: VirtqueuePlace, features: VirtqueueFeatures): void {
    const isSize = place.size >= 1 && place.size <= this.#entriesMax &&
      (features.isPacked || Number.isInteger(Math.log2(place.size)))
    assert(isSize, 'a queue is enabled with a size that it can have')
    this.disable()
    const { dma } = this.#surroundings
    const specification = { dma, place, features, chainMax: this.#entriesMax }
    this.ring = features.isPacked ? new PackedRing(specification) : new SplitRing(specification)
    this.used = new UsedList(place.size, features.isInOrder)
    this.moved()
  }

  /** It may be in other memory now. What its driver was told about notifications has to be said again. */
  moved (): void {
    this.ring?.moved()
    this.isArmed = false
    this.isQuietDue = true
  }

  /** Forgets the rings. Chains in flight are not live any more. */
  disable (): void {
    this.ring?.close()
    this.ring = undefined
    this.isRung =
      this.isStalled =
      this.isArmed =
      this.needsRecord =
        false
    this.busyAtMs = this.watchMs = this.heat = 0
    this.pace = new InterruptPace()
    this.pool.retireAll()
  }

  /** The record holds a chain now. */
  take (record: ChainRecord): void {
    this.pool.take(record)
    this.#surroundings.taken()
    if (this.used.isInOrder) record.place = this.used.reserve(record.id, record.descriptorCount)
  }

  completed (record: ChainRecord, written: number): void {
    const { used } = this
    const { isLive } = record
    this.pool.giveBack(record)
    if (isLive) {
      const place = used.isInOrder ? record.place : used.reserve(record.id, record.descriptorCount)
      used.fill(place, Math.min(written, LENGTH_MAX), written === record.writable.byteLength)
      if (used.readyCount > 0) this.#surroundings.usedReady(this)
    }
    this.#surroundings.released(this)
    if (this.#waiters.length > 0) this.settle()
  }

  faulted (record: ChainRecord): void {
    this.#surroundings.faulted(record)
  }

  /** Resolves when every chain was completed and nothing is asked of the client. */
  whenIdle (): Promise<void> {
    return new Promise(resolve => {
      this.#waiters.push(resolve)
      this.settle()
    })
  }

  /** Tells those who wait, if it is idle. */
  settle (): void {
    if (this.pool.inUse > 0 || this.isAsking) return
    for (const waiter of this.#waiters.splice(0)) waiter()
  }
}
