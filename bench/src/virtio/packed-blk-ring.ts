import { DescriptorFlag, DESCRIPTOR_BYTES, EventFlag } from '../../../packages/testkit/dist/virtio/layouts.js'
import { BlkRequests, blkQueuePlace, CHAIN_DESCRIPTORS, deviceOffset, driverOffset } from './blk-ring.js'
import type { BlkQueuePlace, BlkRing, BlkRingOptions } from './blk-ring.js'

const MARKS = DescriptorFlag.AVAIL | DescriptorFlag.USED

/** Requests in a packed ring: their numbers are the buffer IDs. */
export class PackedBlkRing implements BlkRing {
  readonly place: BlkQueuePlace
  failureCount = 0
  readonly #options: BlkRingOptions
  readonly #requests: BlkRequests
  readonly #deviceAt: number
  #next = 0
  #wrap = 1
  #used = 0
  #usedWrap = 1
  /** What makes all that was added available: the last word of its first descriptor, and where it is. */
  #firstAt = -1
  #firstWord = 0

  constructor (options: BlkRingOptions) {
    this.place = blkQueuePlace(options)
    this.#options = options
    this.#requests = new BlkRequests(options)
    this.#deviceAt = options.at + deviceOffset(options.size)
    options.view.setUint32(options.at + driverOffset(options.size), EventFlag.DISABLE << 16, true)
  }

  add (request: number, isRead: boolean, sector: number, dataIova: number): void {
    const requests = this.#requests
    requests.begin(request, isRead, sector)
    if (this.#options.isIndirect) {
      const { view } = this.#options
      const tableAt = requests.tableAt(request)
      for (let index = 0; index < CHAIN_DESCRIPTORS; index++) {
        const at = tableAt + index * DESCRIPTOR_BYTES
        // NEXT means nothing in a table of this format.
        const flags = requests.describe(request, index, at, isRead, dataIova) & ~DescriptorFlag.NEXT
        view.setUint32(at + 12, flags << 16, true)
      }
      this.#append(request, requests.describeTable(request, this.#nextAt))
      return
    }
    for (let index = 0; index < CHAIN_DESCRIPTORS; index++) {
      this.#append(request, requests.describe(request, index, this.#nextAt, isRead, dataIova))
    }
  }

  publish (): void {
    if (this.#firstAt < 0) return
    Atomics.store(this.#options.words, (this.#firstAt + 12) >>> 2, this.#firstWord)
    this.#firstAt = -1
  }

  get wantsNotification (): boolean {
    return (Atomics.load(this.#options.words, this.#deviceAt >>> 2) >>> 16 & 3) !== EventFlag.DISABLE
  }

  take (): number {
    const { words, at, size, isIndirect } = this.#options
    const word = Atomics.load(words, (at + this.#used * DESCRIPTOR_BYTES + 12) >>> 2)
    if ((word >>> 16 & MARKS) !== (this.#usedWrap === 1 ? MARKS : 0)) return -1
    this.#used += isIndirect ? 1 : CHAIN_DESCRIPTORS
    if (this.#used >= size) {
      this.#used -= size
      this.#usedWrap ^= 1
    }
    const request = word & 0xffff
    if (this.#requests.statusOf(request) !== 0) this.failureCount++
    return request
  }

  get #nextAt (): number {
    return this.#options.at + this.#next * DESCRIPTOR_BYTES
  }

  #append (id: number, flags: number): void {
    const mark = this.#wrap === 1 ? DescriptorFlag.AVAIL : DescriptorFlag.USED
    const word = (id | (flags | mark) << 16) >>> 0
    const at = this.#nextAt
    // The device sees nothing before it sees the first one.
    if (this.#firstAt < 0) {
      this.#firstAt = at
      this.#firstWord = word
    } else {
      this.#options.view.setUint32(at + 12, word, true)
    }
    if (++this.#next < this.#options.size) return
    this.#next = 0
    this.#wrap ^= 1
  }
}
