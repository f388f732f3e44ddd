import { DmaAccess, DmaFault } from '@pcikit/core'
import type { ChainRecord } from './chain-record.js'
import { DESCRIPTOR_BYTES, DescriptorFlag, SplitDescriptor } from './descriptor.js'
import { DriverPlace } from './driver-place.js'
import { IndirectTable } from './indirect-table.js'
import { RingArea } from './ring-area.js'
import { RingOutcome } from './ring.js'
import type { Ring, RingSpecification } from './ring.js'
import { RingTrouble } from './ring-trouble.js'
import type { UsedList } from './used-list.js'

/** Where the fields of both rings are: flags and idx, 16 bits each, then the entries, then the event index. */
const FLAGS_OFFSET = 0
const IDX_OFFSET = 2
const ENTRIES_OFFSET = 4
const AVAIL_ENTRY_BYTES = 2
const USED_ENTRY_BYTES = 8
/** Flags, idx and the event index. */
const OVERHEAD_BYTES = 6
/** Indices of both rings begin again after so many. */
const INDICES = 0x1_0000
const NO_INTERRUPT = 1
const NO_NOTIFY = 1
/** NEXT has 16 bits, so nothing of a table is ever found beyond. */
const TABLE_ENTRIES_MAX = 0x1_0000

/**
 * The rings of a split virtqueue. [virtio] "Split Virtqueues".
 *
 * ```
 *   available ring, the driver's: flags idx | head head head ... | used_event
 *   used ring, ours:              flags idx | (id, len) ...      | avail_event
 *   next (ours) ──► taken up to here ... idx ──► the driver goes on here     (indices count up to 2^16 and wrap)
 * ```
 *
 * Flags and idx of the used ring share a word and are ours alone, so one store publishes a run.
 */
export class SplitRing implements Ring {
  readonly #size: number
  readonly #mask: number
  readonly #hasIndirect: boolean
  readonly #hasEventIndex: boolean
  readonly #chainMax: number
  readonly #descriptors: RingArea
  readonly #available: RingArea
  readonly #used: RingArea
  readonly #table: IndirectTable
  readonly #trouble = new RingTrouble()
  readonly #driver: DriverPlace
  /** The next entry of the available ring. */
  #next = 0
  /** Where the driver was seen to go on. */
  #seen = 0
  #usedIndex = 0
  /**
   * What idx of the used ring is or may be. It is ahead of `#usedIndex` where the last message of a run may have come
   * to the driver while its memory went: it must not go back, and the entries before it are written.
   */
  #toldIndex = 0
  #usedFlags = 0
  /** Buffers taken and not published. */
  #outstanding = 0
  /** Entries of the used ring since the driver's wish for an interrupt was looked at. */
  #untold = 0
  /** Buffers that are being published, and elements of them that are written. By message it takes several tries. */
  #runLength = 0
  #written = 0

  constructor ({ dma, place, features, chainMax }: RingSpecification) {
    const { size } = place
    this.#size = size
    this.#mask = size - 1
    this.#hasIndirect = features.hasIndirect
    this.#hasEventIndex = features.hasEventIndex
    this.#chainMax = chainMax
    this.#descriptors = new RingArea(dma, place.descriptorArea, size * DESCRIPTOR_BYTES, DmaAccess.READ)
    const availableBytes = OVERHEAD_BYTES + size * AVAIL_ENTRY_BYTES
    this.#available = new RingArea(dma, place.driverArea, availableBytes, DmaAccess.READ)
    const usedBytes = OVERHEAD_BYTES + size * USED_ENTRY_BYTES
    this.#used = new RingArea(dma, place.deviceArea, usedBytes, DmaAccess.WRITE)
    this.#table = new IndirectTable(dma)
    this.#driver = new DriverPlace(size, INDICES)
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
    if (this.#next === this.#seen) {
      const looked = this.#look()
      if (looked !== RingOutcome.DONE) return looked
    }
    if (this.#outstanding === this.#size) {
      return this.#trouble.broken(`more buffers are available than its ${this.#size} entries`)
    }
    const available = this.#available
    const offset = ENTRIES_OFFSET + (this.#next & this.#mask) * AVAIL_ENTRY_BYTES
    if (!available.locate(offset, AVAIL_ENTRY_BYTES)) return this.#trouble.missed(available)
    const head = available.view.getUint16(available.position, true)
    const walked = this.#walk(record, head)
    if (walked !== RingOutcome.DONE) return walked
    this.#table.forget()
    record.id = head
    record.descriptorCount = 1
    this.#next = (this.#next + 1) & 0xffff
    this.#outstanding++
    return RingOutcome.DONE
  }

  publish (list: UsedList): RingOutcome {
    if (this.#runLength === 0) {
      if (list.readyCount === 0) return RingOutcome.NOTHING
      this.#runLength = list.readyCount
    }
    const count = this.#runLength
    for (let index = 0, element = 0; index < count; element++) {
      const last = list.batchEnd(index, count)
      if (element === this.#written) {
        const place = ENTRIES_OFFSET + ((this.#usedIndex + index) & this.#mask) * USED_ENTRY_BYTES
        const isStored = this.#used.storePair(place, list.idAt(last), list.lengthAt(last), false)
        if (!isStored) return this.#trouble.missed(this.#used)
        this.#written++
      }
      index = last + 1
    }
    const usedIndex = (this.#usedIndex + count) & 0xffff
    this.#toldIndex = usedIndex
    if (!this.#storeHeader(this.#usedFlags, usedIndex)) return this.#trouble.missed(this.#used)
    this.#usedIndex = usedIndex
    this.#outstanding -= count
    this.#untold += count
    this.#runLength = this.#written = 0
    list.drop(count)
    return RingOutcome.DONE
  }

  checkInterrupt (): RingOutcome {
    const untold = this.#untold
    if (untold === 0) return RingOutcome.NOTHING
    const available = this.#available
    if (!this.#hasEventIndex) {
      const flags = available.loadHalf(FLAGS_OFFSET)
      if (flags < 0) return this.#trouble.missed(available)
      this.#untold = 0
      return (flags & NO_INTERRUPT) === 0 ? RingOutcome.DONE : RingOutcome.NOTHING
    }
    const event = available.loadHalf(this.#availEventOffset)
    if (event < 0) return this.#trouble.missed(available)
    this.#untold = 0
    // Whether `idx` passed it: "until idx in the used ring will reach the value used_event + 1".
    const passed = (this.#usedIndex - event - 1) & 0xffff
    return passed < untold ? RingOutcome.DONE : RingOutcome.NOTHING
  }

  followDriver (): number {
    const event = this.#hasEventIndex ? this.#available.loadHalf(this.#availEventOffset) : -1
    return event < 0 ? 0 : this.#driver.follow(event, this.#usedIndex)
  }

  arm (): RingOutcome {
    const isAsked = this.#hasEventIndex ?
      this.#used.storeHalf(this.#usedEventOffset, this.#next) :
      this.#storeHeader(0, this.#toldIndex)
    if (!isAsked) return this.#trouble.missed(this.#used)
    this.#usedFlags = 0
    // What is peeked at next must not be older.
    this.#available.fence()
    return RingOutcome.DONE
  }

  disarm (): boolean {
    if (this.#hasEventIndex) {
      // The event index is where it was armed last. Nobody passes it again before all 2^16 indices were used.
      // Where it is not stored, the driver has passed it already, so the queue counts as told apart all the same.
      if (this.#next === this.#seen) this.#used.storeHalf(this.#usedEventOffset, (this.#next - 1) & 0xffff)
      return false
    }
    if (!this.#storeHeader(NO_NOTIFY, this.#toldIndex)) return true
    this.#usedFlags = NO_NOTIFY
    return false
  }

  ask (): Promise<DmaFault> {
    return this.#trouble.ask()
  }

  overlaps (iova: number, byteLength: number): boolean {
    return this.#descriptors.overlaps(iova, byteLength) || this.#available.overlaps(iova, byteLength) ||
      this.#used.overlaps(iova, byteLength)
  }

  moved (): void {
    this.#descriptors.forget()
    this.#available.forget()
    this.#used.forget()
    this.#table.forget()
    this.#written = 0
  }

  close (): void {
    this.#descriptors.close()
    this.#available.close()
    this.#used.close()
  }

  /** Where the driver says how far we may go, at the end of its ring, and where we say it, at the end of ours. */
  get #availEventOffset (): number {
    return ENTRIES_OFFSET + this.#size * AVAIL_ENTRY_BYTES
  }

  get #usedEventOffset (): number {
    return ENTRIES_OFFSET + this.#size * USED_ENTRY_BYTES
  }

  #storeHeader (flags: number, index: number): boolean {
    return this.#used.storeWord(FLAGS_OFFSET, flags | index << 16)
  }

  /** Looks how far the driver is. */
  #look (): RingOutcome {
    // Who polls finds nothing new most of the time.
    if (this.#available.peekHalf(IDX_OFFSET) === this.#next) return RingOutcome.NOTHING
    const index = this.#available.loadHalf(IDX_OFFSET)
    if (index < 0) return this.#trouble.missed(this.#available)
    const count = (index - this.#next) & 0xffff
    if (count === 0) return RingOutcome.NOTHING
    if (count > this.#size) {
      return this.#trouble.broken(`the available index ${index} is ${count} ahead in a ring of ${this.#size} entries`)
    }
    this.#seen = index
    this.#available.forgetBlocks()
    this.#descriptors.forgetBlocks()
    return RingOutcome.DONE
  }

  #walk (record: ChainRecord, head: number): RingOutcome {
    const descriptors = this.#descriptors
    record.begin()
    let index = head
    for (let count = 0; count < this.#size; count++) {
      if (index >= this.#size) {
        return this.#refuse(head, `descriptor ${index} is not one of the table's ${this.#size}`)
      }
      if (!descriptors.locate(index * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES)) return this.#trouble.missed(descriptors)
      const { view, position } = descriptors
      const flags = SplitDescriptor.flags.get(view, position)
      if ((flags & DescriptorFlag.INDIRECT) !== 0) {
        if ((flags & DescriptorFlag.NEXT) !== 0) {
          return this.#refuse(head, 'a descriptor is indirect and has a next one')
        }
        this.#table.begin(view, position)
        return this.#walkTable(record, head, this.#chainMax - count)
      }
      const next = SplitDescriptor.next.get(view, position)
      if (!record.add(view, position, (flags & DescriptorFlag.WRITE) !== 0)) return this.#refuseOrder(head)
      if ((flags & DescriptorFlag.NEXT) === 0) return RingOutcome.DONE
      index = next
    }
    return this.#refuse(head, `the chain is longer than the queue, which has ${this.#size} entries: it loops`)
  }

  /** A table ends the chain. At most `limit` descriptors of it are used. */
  #walkTable (record: ChainRecord, head: number, limit: number): RingOutcome {
    const table = this.#table
    const length = table.byteLength
    if (!this.#hasIndirect) return this.#refuse(head, 'a descriptor is indirect, which was not negotiated')
    if (length === 0 || length % DESCRIPTOR_BYTES !== 0) {
      return this.#refuse(head, `a table of ${length} bytes is not made of whole descriptors`)
    }
    const entries = length / DESCRIPTOR_BYTES
    let index = 0
    for (let count = 0; count < limit; count++) {
      if (index >= entries) return this.#refuse(head, `descriptor ${index} is not one of the ${entries} of its table`)
      // Tables are used from their start on, as a rule.
      if (count === 0 || index >= table.count) {
        const isLoaded = table.load(Math.min(entries, index < limit ? limit : TABLE_ENTRIES_MAX))
        if (!isLoaded) return this.#tableMissed(head)
      }
      const { view } = table
      const base = table.position + index * DESCRIPTOR_BYTES
      const flags = SplitDescriptor.flags.get(view, base)
      if ((flags & DescriptorFlag.INDIRECT) !== 0) {
        return this.#refuse(head, 'a descriptor of a table is indirect itself')
      }
      if (!record.add(view, base, (flags & DescriptorFlag.WRITE) !== 0)) return this.#refuseOrder(head)
      if ((flags & DescriptorFlag.NEXT) === 0) return RingOutcome.DONE
      index = SplitDescriptor.next.get(view, base)
    }
    return this.#refuse(head, `the chain is longer than the queue can have entries, ${this.#chainMax}`)
  }

  #tableMissed (head: number): RingOutcome {
    const isNowhere = this.#table.fault === DmaFault.OUT_OF_RANGE
    return isNowhere ? this.#refuse(head, 'its table does not end below 2^53') : this.#trouble.missed(this.#table)
  }

  #refuseOrder (head: number): RingOutcome {
    return this.#refuse(head, 'a descriptor for reading comes after one for writing')
  }

  #refuse (head: number, why: string): RingOutcome {
    return this.#trouble.broken(`head ${head}: ${why}`)
  }
}
