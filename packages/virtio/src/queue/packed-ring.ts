import { DmaAccess, DmaFault } from '@pcikit/core'
import type { ChainRecord } from './chain-record.js'
import { DESCRIPTOR_BYTES, DescriptorFlag, PackedDescriptor } from './descriptor.js'
import { DriverPlace } from './driver-place.js'
import { IndirectTable } from './indirect-table.js'
import { RingArea } from './ring-area.js'
import { RingOutcome } from './ring.js'
import type { Ring, RingSpecification } from './ring.js'
import { RingTrouble } from './ring-trouble.js'
import type { UsedList } from './used-list.js'

/** RING_EVENT_FLAGS, in the upper half of the structure. [virtio] "Event Suppression Structure Format". */
const EVENT_SHIFT = 16
const EVENT_MASK = 3
const EVENT_ENABLE = 0
const EVENT_DISABLE = 1
const EVENT_DESC = 2
const EVENT_BYTES = 4
/** desc_event_off and desc_event_wrap, in its lower half. */
const EVENT_OFFSET_MASK = 0x7fff
const EVENT_WRAP_SHIFT = 15

const LEN_OFFSET = PackedDescriptor.len.offset
const FLAGS_OFFSET = PackedDescriptor.flags.offset
/** Descriptors that are looked at in advance. */
const SEEN_MAX = 32

/**
 * The ring of a packed virtqueue. [virtio] "Packed Virtqueues".
 *
 * ```
 *   used up to here, wrap counter W            taken up to here, wrap counter W or, a lap ahead, not W
 *          ▼                                      ▼
 *   ... | a used one goes here | taken, not used | available (AVAIL = W, USED != W) | used last lap ...
 * ```
 *
 * A buffer of several descriptors leaves one used descriptor, in place of its first. The driver looks at the first one
 * of a run only, so that is written last.
 */
export class PackedRing implements Ring {
  readonly #size: number
  readonly #hasIndirect: boolean
  readonly #hasEventIndex: boolean
  readonly #chainMax: number
  readonly #ring: RingArea
  readonly #driverEvent: RingArea
  readonly #deviceEvent: RingArea
  readonly #table: IndirectTable
  readonly #trouble = new RingTrouble()
  readonly #driver: DriverPlace
  /** The next descriptor to take, and the wrap counter there. */
  #next = 0
  #nextWrap = 1
  /** How many from there on were seen to be available: a buffer that begins with one of them is so as a whole. */
  #seen = 0
  #used = 0
  #usedWrap = 1
  /** Descriptors taken and not published. */
  #outstanding = 0
  /** Descriptors published since the driver's wish for an interrupt was looked at. */
  #untold = 0
  /** Buffers that are being published, and descriptors of them that are written. By message it takes several tries. */
  #runLength = 0
  #written = 0
  /** The client was asked to store the first descriptor of the run, which tells of all of them … */
  #isTelling = false
  /** … and nobody knows whether it did: its memory went meanwhile. */
  #isDoubtful = false

  constructor ({ dma, place, features, chainMax }: RingSpecification) {
    this.#size = place.size
    this.#hasIndirect = features.hasIndirect
    this.#hasEventIndex = features.hasEventIndex
    this.#chainMax = chainMax
    this.#ring = new RingArea(dma, place.descriptorArea, place.size * DESCRIPTOR_BYTES, DmaAccess.READ_WRITE)
    this.#driverEvent = new RingArea(dma, place.driverArea, EVENT_BYTES, DmaAccess.READ)
    this.#deviceEvent = new RingArea(dma, place.deviceArea, EVENT_BYTES, DmaAccess.WRITE)
    this.#table = new IndirectTable(dma)
    this.#driver = new DriverPlace(place.size, place.size * 2)
  }

  get fault (): DmaFault {
    return this.#trouble.fault
  }

  get reason (): string {
    return this.#trouble.reason
  }

  get behind (): number {
    return this.#driver.behind
  }

  take (record: ChainRecord): RingOutcome {
    if (this.#seen === 0) {
      const looked = this.#look()
      if (looked !== RingOutcome.DONE) return looked
    }
    const walked = this.#walk(record, this.#next)
    if (walked !== RingOutcome.DONE) return walked
    this.#table.forget()
    this.#seen = Math.max(0, this.#seen - record.descriptorCount)
    this.#outstanding += record.descriptorCount
    this.#next += record.descriptorCount
    if (this.#next >= this.#size) {
      this.#next -= this.#size
      this.#nextWrap ^= 1
    }
    return RingOutcome.DONE
  }

  publish (list: UsedList): RingOutcome {
    if (this.#runLength === 0) {
      if (list.readyCount === 0) return RingOutcome.NOTHING
      this.#runLength = list.readyCount
    }
    const count = this.#runLength
    if (this.#isDoubtful) {
      const flags = this.#ring.loadHalf(this.#used * DESCRIPTOR_BYTES + FLAGS_OFFSET)
      if (flags < 0) return this.#trouble.missed(this.#ring)
      this.#isDoubtful = this.#isTelling = false
      // USED is as the wrap counter from then on, also once the driver has filled the place again for the next lap.
      if (((flags & DescriptorFlag.USED) !== 0) === (this.#usedWrap === 1)) {
        return this.#told(list, count, descriptorsOf(list, 0, count - 1))
      }
    }
    const firstEnd = list.batchEnd(0, count)
    let position = this.#used + descriptorsOf(list, 0, firstEnd)
    for (let index = firstEnd + 1, descriptor = 0; index < count; descriptor++) {
      const last = list.batchEnd(index, count)
      if (descriptor === this.#written) {
        if (!this.#storeUsed(position, list, last, false)) return this.#trouble.missed(this.#ring)
        this.#written++
      }
      position += descriptorsOf(list, index, last)
      index = last + 1
    }
    if (!this.#storeUsed(this.#used, list, firstEnd, true)) {
      if (this.#ring.fault === DmaFault.NONE) this.#isTelling = true
      return this.#trouble.missed(this.#ring)
    }
    return this.#told(list, count, position - this.#used)
  }

  checkInterrupt (): RingOutcome {
    const untold = this.#untold
    if (untold === 0) return RingOutcome.NOTHING
    const word = this.#driverEvent.loadWord(0)
    if (word < 0) return this.#trouble.missed(this.#driverEvent)
    this.#untold = 0
    const flags = word >>> EVENT_SHIFT & EVENT_MASK
    if (flags === EVENT_DISABLE) return RingOutcome.NOTHING
    if (flags !== EVENT_DESC || !this.#hasEventIndex) return RingOutcome.DONE
    const way = this.#size * 2
    const event = this.#place(word & EVENT_OFFSET_MASK, word >>> EVENT_WRAP_SHIFT & 1)
    const now = this.#place(this.#used, this.#usedWrap)
    // "Event will only trigger when Ring Wrap Counter matches this value and a descriptor is made … used".
    const distance = (now - 1 - event + 2 * way) % way
    return distance < untold ? RingOutcome.DONE : RingOutcome.NOTHING
  }

  followDriver (): number {
    const word = this.#hasEventIndex ? this.#driverEvent.loadWord(0) : -1
    if (word < 0) return 0
    const now = this.#place(this.#used, this.#usedWrap)
    if ((word >>> EVENT_SHIFT & EVENT_MASK) !== EVENT_DESC) return this.#driver.looksItself()
    return this.#driver.follow(this.#place(word & EVENT_OFFSET_MASK, word >>> EVENT_WRAP_SHIFT & 1), now)
  }

  arm (): RingOutcome {
    const event = this.#hasEventIndex ?
      EVENT_DESC << EVENT_SHIFT | this.#nextWrap << EVENT_WRAP_SHIFT | this.#next :
      EVENT_ENABLE << EVENT_SHIFT
    if (!this.#deviceEvent.storeWord(0, event)) return this.#trouble.missed(this.#deviceEvent)
    // What is peeked at next must not be older.
    this.#ring.fence()
    return RingOutcome.DONE
  }

  disarm (): boolean {
    return !this.#deviceEvent.storeWord(0, EVENT_DISABLE << EVENT_SHIFT) && !this.#hasEventIndex
  }

  async ask (): Promise<DmaFault> {
    const fault = await this.#trouble.ask()
    if (fault !== DmaFault.NONE) this.#isDoubtful = this.#isTelling
    return fault
  }

  overlaps (iova: number, byteLength: number): boolean {
    return this.#ring.overlaps(iova, byteLength) || this.#driverEvent.overlaps(iova, byteLength) ||
      this.#deviceEvent.overlaps(iova, byteLength)
  }

  moved (): void {
    this.#ring.forget()
    this.#driverEvent.forget()
    this.#deviceEvent.forget()
    this.#table.forget()
    this.#seen = this.#written = 0
    this.#isDoubtful = this.#isTelling
  }

  close (): void {
    this.#ring.close()
    this.#driverEvent.close()
    this.#deviceEvent.close()
  }

  /** The driver sees the run. */
  #told (list: UsedList, count: number, descriptorCount: number): RingOutcome {
    this.#outstanding -= descriptorCount
    this.#untold += descriptorCount
    this.#used += descriptorCount
    if (this.#used >= this.#size) {
      this.#used -= this.#size
      this.#usedWrap ^= 1
    }
    this.#runLength = this.#written = 0
    this.#isTelling = false
    list.drop(count)
    return RingOutcome.DONE
  }

  /** A place on the way of two laps, which begins with the wrap counter at 1. */
  #place (position: number, wrap: number): number {
    return position + (wrap === 1 ? 0 : this.#size)
  }

  /** Writes the used descriptor for the buffer at `index` of the list, at a position that may be a lap ahead. */
  #storeUsed (position: number, list: UsedList, index: number, tells: boolean): boolean {
    const isAhead = position >= this.#size
    const wrap = isAhead ? this.#usedWrap ^ 1 : this.#usedWrap
    const place = isAhead ? position - this.#size : position
    const length = list.lengthAt(index)
    const flags = (wrap === 1 ? DescriptorFlag.AVAIL | DescriptorFlag.USED : 0) |
      (length > 0 ? DescriptorFlag.WRITE : 0)
    const word = list.idAt(index) | flags << 16
    return this.#ring.storePair(place * DESCRIPTOR_BYTES + LEN_OFFSET, length, word, tells)
  }

  /**
   * Looks how many descriptors are available from the next one on. The driver makes the first one of a buffer available
   * when the others are, so one fence is enough for all of them.
   */
  #look (): RingOutcome {
    const ring = this.#ring
    let position = this.#next
    let wrap = this.#nextWrap
    let count = 0
    while (count < SEEN_MAX) {
      const flags = ring.peekHalf(position * DESCRIPTOR_BYTES + FLAGS_OFFSET)
      if (flags < 0 && count === 0) return this.#lookByMessage()
      if (flags < 0 || !isAvailable(flags, wrap)) break
      count++
      if (++position < this.#size) continue
      position = 0
      wrap ^= 1
    }
    if (count === 0) return RingOutcome.NOTHING
    ring.fence()
    this.#seen = count
    return RingOutcome.DONE
  }

  #lookByMessage (): RingOutcome {
    const flags = this.#ring.loadHalf(this.#next * DESCRIPTOR_BYTES + FLAGS_OFFSET)
    if (flags < 0) return this.#trouble.missed(this.#ring)
    if (!isAvailable(flags, this.#nextWrap)) return RingOutcome.NOTHING
    this.#ring.forgetBlocks()
    this.#seen = 1
    return RingOutcome.DONE
  }

  #walk (record: ChainRecord, head: number): RingOutcome {
    const ring = this.#ring
    const room = this.#size - this.#outstanding
    record.begin()
    let index = head
    for (let count = 1; count <= room; count++) {
      if (!ring.locate(index * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES)) return this.#trouble.missed(ring)
      const { view, position } = ring
      const flags = PackedDescriptor.flags.get(view, position)
      record.id = PackedDescriptor.id.get(view, position)
      record.descriptorCount = count
      if ((flags & DescriptorFlag.INDIRECT) !== 0) {
        // "A driver MUST NOT write direct descriptors with DESC_F_INDIRECT set in a scatter-gather list".
        const isAlone = count === 1 && (flags & DescriptorFlag.NEXT) === 0
        if (!isAlone) return this.#refuse(head, 'a descriptor of a list is indirect')
        this.#table.begin(view, position)
        return this.#walkTable(record, head)
      }
      if (!record.add(view, position, (flags & DescriptorFlag.WRITE) !== 0)) return this.#refuseOrder(head)
      if ((flags & DescriptorFlag.NEXT) === 0) return RingOutcome.DONE
      index = index + 1 === this.#size ? 0 : index + 1
    }
    return this.#refuse(head, `more than the ${this.#size} descriptors of the queue are available: a list has no end`)
  }

  /** All descriptors of a table are used, one after the other. */
  #walkTable (record: ChainRecord, head: number): RingOutcome {
    const table = this.#table
    const length = table.byteLength
    if (!this.#hasIndirect) return this.#refuse(head, 'a descriptor is indirect, which was not negotiated')
    if (length === 0 || length % DESCRIPTOR_BYTES !== 0) {
      return this.#refuse(head, `a table of ${length} bytes is not made of whole descriptors`)
    }
    const entries = length / DESCRIPTOR_BYTES
    if (entries > this.#chainMax) {
      return this.#refuse(head, `the chain is longer than the queue can have entries, ${this.#chainMax}`)
    }
    if (!table.load(entries)) {
      const isNowhere = table.fault === DmaFault.OUT_OF_RANGE
      return isNowhere ? this.#refuse(head, 'its table does not end below 2^53') : this.#trouble.missed(table)
    }
    const { view, position } = table
    for (let base = position; base < position + length; base += DESCRIPTOR_BYTES) {
      // "The VIRTQ_DESC_F_WRITE flags bit is the only valid flag … Others are reserved and are ignored by the device."
      const isWritable = (PackedDescriptor.flags.get(view, base) & DescriptorFlag.WRITE) !== 0
      if (!record.add(view, base, isWritable)) return this.#refuseOrder(head)
    }
    return RingOutcome.DONE
  }

  #refuseOrder (head: number): RingOutcome {
    return this.#refuse(head, 'a descriptor for reading comes after one for writing')
  }

  #refuse (head: number, why: string): RingOutcome {
    return this.#trouble.broken(`head ${head}: ${why}`)
  }
}

/** AVAIL is as the wrap counter, and USED is not. [virtio] "Driver and Device Ring Wrap Counters". */
function isAvailable (flags: number, wrap: number): boolean {
  return ((flags & DescriptorFlag.AVAIL) !== 0) === (wrap === 1) &&
    ((flags & DescriptorFlag.USED) !== 0) !== (wrap === 1)
}

/** Descriptors of the buffers from `first` to `last` of the list. */
function descriptorsOf (list: UsedList, first: number, last: number): number {
  let count = 0
  for (let index = first; index <= last; index++) count += list.descriptorCountAt(index)
  return count
}
