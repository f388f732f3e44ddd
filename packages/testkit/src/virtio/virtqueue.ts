import type { GuestMemory } from '../guest/guest-memory.js'
import { PendingCommands } from '../guest/pending-commands.js'
import { describeChain, linkDescriptors, storePacked, storeSplit } from './descriptor.js'
import type { ChainFraming, DriverChain, GuestBuffer, PlainDescriptor, RawDescriptor } from './descriptor.js'
import { ringDescriptorCount, writableBytes } from './driver-ring.js'
import type { DriverRing, QueuePlace, UsedChain } from './driver-ring.js'
import { DescriptorFlag, DESCRIPTOR_BYTES, EVENT_SUPPRESSION_BYTES, PackedDescriptor } from './layouts.js'
import { PackedRing } from './packed-ring.js'
import { RingMemory } from './ring-memory.js'
import { SplitRing } from './split-ring.js'

/** What was negotiated, as far as a queue is concerned. */
export interface QueueFeatures {
  readonly isPacked: boolean
  readonly hasEventIndex: boolean
  readonly isInOrder: boolean
}

/** What a queue is made of. */
export interface VirtqueueSpec extends QueueFeatures {
  readonly index: number
  readonly size: number
  readonly place: QueuePlace
  /** The MSI-X vector or, with INTx, 0; undefined where the driver looks by itself. */
  readonly vector: number | undefined
}

/** How a queue reaches its device and its driver. */
export interface VirtqueueHost {
  readonly memory: GuestMemory
  /** Milliseconds that a chain may be with the device; 0: for ever. */
  readonly timeoutMs: number
  /** What the device did that it must not. */
  readonly anomalies: string[]
  /** Sends a notification. */
  notify(queue: Virtqueue): Promise<void> | void
  /** A chain is under way. */
  submitted(): void
}

/** How a chain is submitted. */
export interface SubmitChainOptions extends ChainFraming {
  /** Milliseconds until it must have come back; 0: for ever. */
  readonly timeoutMs?: number
}

/** Bytes of the parts of a queue. [virtio] "Virtqueues", "Structure Size and Alignment". */
export function queueBytes (size: number, isPacked: boolean): { descriptors: number, driver: number, device: number } {
  const descriptors = size * DESCRIPTOR_BYTES
  if (isPacked) return { descriptors, driver: EVENT_SUPPRESSION_BYTES, device: EVENT_SUPPRESSION_BYTES }
  return { descriptors, driver: 6 + 2 * size, device: 6 + 8 * size }
}

/**
 * The driver's side of a virtqueue, with the chains that are with the device. It keeps addresses only, and works on
 * whatever memory is there at the moment.
 */
export class Virtqueue {
  readonly index: number
  readonly spec: VirtqueueSpec
  /** The ring itself, for tests: a {@link SplitRing} or a {@link PackedRing}. */
  readonly ring: DriverRing
  /** How often the device was told of chains. */
  notificationCount = 0
  readonly #host: VirtqueueHost
  readonly #pending = new PendingCommands<UsedChain>()
  /** Bytes that the device may write, by ID. */
  readonly #writable = new Map<number, number>()
  /** Chains that came back while nobody waited for them. */
  readonly #unclaimed: UsedChain[] = []
  /** The indirect tables of chains, by ID. */
  readonly #tables = new Map<number, number>()

  constructor (spec: VirtqueueSpec, host: VirtqueueHost) {
    this.index = spec.index
    this.spec = spec
    this.#host = host
    this.ring = new (spec.isPacked ? PackedRing : SplitRing)(new RingMemory(host.memory), spec)
    this.ring.allowInterrupts(spec.vector !== undefined)
  }

  get size (): number {
    return this.spec.size
  }

  get vector (): number | undefined {
    return this.spec.vector
  }

  /** How many chains are waited for. */
  get pendingCount (): number {
    return this.#pending.count
  }

  /** The three parts of the queue in guest memory. */
  get parts (): readonly GuestBuffer[] {
    const bytes = queueBytes(this.size, this.spec.isPacked)
    const { descriptors, driver, device } = this.spec.place
    return [
      { iova: descriptors, byteLength: bytes.descriptors },
      { iova: driver, byteLength: bytes.driver },
      { iova: device, byteLength: bytes.device }
    ]
  }

  /** The ring of a split queue. Throws where it is packed. */
  get split (): SplitRing {
    if (this.ring instanceof SplitRing) return this.ring
    throw new Error('The queue is packed.')
  }

  /** The ring of a packed queue. Throws where it is split. */
  get packed (): PackedRing {
    if (this.ring instanceof PackedRing) return this.ring
    throw new Error('The queue is split.')
  }

  /** Writes a chain into the ring, and keeps it from the device. Returns its ID. Throws RangeError without room. */
  stage (chain: DriverChain, framing: ChainFraming = {}): number {
    const descriptors = describeChain(chain, framing.cut)
    if (!this.ring.hasRoom(ringDescriptorCount(descriptors.length, framing))) {
      throw new RangeError('The ring has no room for the chain.')
    }
    const { indirect = false } = framing
    if (indirect === false) return this.#keep(this.ring.addRaw(linkDescriptors(descriptors)), chain)
    const direct = indirect === true ? 0 : Math.min(indirect, descriptors.length - 1)
    const table = this.#createTable(descriptors.slice(direct))
    const len = (descriptors.length - direct) * DESCRIPTOR_BYTES
    const last = { addr: table, len, flags: DescriptorFlag.INDIRECT }
    const id = this.#keep(this.ring.addRaw(linkDescriptors([...descriptors.slice(0, direct), last])), chain)
    this.#tables.set(id, table)
    return id
  }

  /** Makes a chain available without a notification. Returns its ID. Throws RangeError without room. */
  add (chain: DriverChain, framing: ChainFraming = {}): number {
    const id = this.stage(chain, framing)
    this.ring.publish()
    return id
  }

  /** Makes a chain available that may be wrong in any way. Returns its ID. */
  addRaw (descriptors: readonly RawDescriptor[]): number {
    const id = this.ring.addRaw(descriptors)
    this.ring.publish()
    return id
  }

  /** Stores a descriptor of an indirect table, in the format of the queue, as it is. */
  writeTableEntry (iova: number, { addr, len, flags, next = 0 }: RawDescriptor): void {
    const { memory } = this.#host
    if (!this.spec.isPacked) return storeSplit(memory, iova, { addr, len, flags, next })
    const word = storePacked(memory, iova, { addr, len, flags, id: 0 })
    memory.store(iova + PackedDescriptor.id.offset, new Uint8Array(Uint32Array.of(word).buffer))
  }

  /** Tells the device, where it wants to be told. */
  async kick (): Promise<void> {
    if (this.ring.wantsNotification()) await this.notify()
  }

  /** Tells the device, whether it wants that or not. */
  async notify (): Promise<void> {
    this.notificationCount++
    await this.#host.notify(this)
  }

  /** Makes a chain available once there is room, tells the device, and resolves when the chain is back. */
  async submit (chain: DriverChain, options: SubmitChainOptions = {}): Promise<UsedChain> {
    const needed = ringDescriptorCount(describeChain(chain, options.cut).length, options)
    if (needed > this.size) throw new RangeError(`A chain of ${needed} does not fit in a ring of ${this.size}.`)
    this.#pending.check()
    while (!this.ring.hasRoom(needed)) {
      await this.#pending.room()
      this.#pending.check()
    }
    const id = this.add(chain, options)
    const returned = this.wait(id, options.timeoutMs)
    const [used] = await Promise.all([returned, this.kick()])
    return used
  }

  /** Resolves when a chain that was added is back. */
  wait (id: number, timeoutMs = this.#host.timeoutMs): Promise<UsedChain> {
    const position = this.#unclaimed.findIndex(used => used.id === id)
    if (position >= 0) return Promise.resolve(this.#unclaimed.splice(position, 1)[0]!)
    const returned = this.#pending.add(id, timeoutMs, () => `Chain ${id} of queue ${this.index}`)
    this.#host.submitted()
    return returned
  }

  /** The next chain that the device gave back. Throws Error where it broke the rules of the ring. */
  take (): UsedChain | undefined {
    return this.#unclaimed.shift() ?? this.#takeNext()
  }

  #takeAll (): number {
    let count = 0
    for (let used = this.#takeNext(); used !== undefined; used = this.#takeNext()) {
      count++
      if (!this.#pending.complete(used.id, used)) this.#unclaimed.push(used)
    }
    return count
  }

  #takeNext (): UsedChain | undefined {
    const used = this.ring.take()
    if (used === undefined) return undefined
    const writable = this.#writable.get(used.id)
    this.#writable.delete(used.id)
    this.#freeTable(used.id)
    if (writable === undefined) return used
    if (used.written > writable) throw new Error(`The device says that it wrote ${used.written} of ${writable} bytes.`)
    return used.isSkipped ? { ...used, written: writable } : used
  }

  /** Takes all that the device gave back and hands it to those who wait. Returns how many that were. */
  reap (): number {
    let count = 0
    try {
      let found = 0
      do {
        // First, because of what comes while nothing is asked for no interrupt tells.
        if (this.vector !== undefined) this.ring.allowInterrupts(true)
        found = this.#takeAll()
        count += found
      } while (found > 0)
    } catch (error) {
      const text = `Queue ${this.index}: ${error instanceof Error ? error.message : String(error)}`
      if (!this.#host.anomalies.includes(text)) this.#host.anomalies.push(text)
    }
    if (count > 0) this.#pending.wake()
    return count
  }

  /** Gives up all chains, and takes no more: the queue or its device was reset. */
  abandon (error: Error): void {
    this.#pending.abandon(error)
    for (const id of [...this.#tables.keys()]) this.#freeTable(id)
  }

  #keep (id: number, chain: DriverChain): number {
    this.#writable.set(id, writableBytes(chain))
    return id
  }

  #createTable (descriptors: readonly PlainDescriptor[]): number {
    const { memory } = this.#host
    const table = memory.allocate(descriptors.length * DESCRIPTOR_BYTES)
    descriptors.forEach(({ addr, len, flags }, position) => {
      // [virtio] "Indirect Flag: Scatter-Gather Support": packed tables have no links.
      const isLinked = !this.spec.isPacked && position < descriptors.length - 1
      this.writeTableEntry(table + position * DESCRIPTOR_BYTES, {
        addr,
        len,
        flags: isLinked ? flags | DescriptorFlag.NEXT : flags,
        ...(isLinked ? { next: position + 1 } : {})
      })
    })
    return table
  }

  #freeTable (id: number): void {
    const table = this.#tables.get(id)
    if (table === undefined) return
    this.#tables.delete(id)
    this.#host.memory.free(table)
  }
}
