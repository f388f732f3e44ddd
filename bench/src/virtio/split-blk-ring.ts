import { AvailableRing, DESCRIPTOR_BYTES, UsedRing } from '../../../packages/testkit/dist/virtio/layouts.js'
import { BlkRequests, blkQueuePlace, CHAIN_DESCRIPTORS, deviceOffset, driverOffset } from './blk-ring.js'
import type { BlkQueuePlace, BlkRing, BlkRingOptions } from './blk-ring.js'

/** Requests in a split ring: each has descriptors of its own, wherever the ring is. */
export class SplitBlkRing implements BlkRing {
  readonly place: BlkQueuePlace
  failureCount = 0
  readonly #options: BlkRingOptions
  readonly #requests: BlkRequests
  readonly #availableAt: number
  readonly #usedAt: number
  #added = 0
  #used = 0

  constructor (options: BlkRingOptions) {
    this.place = blkQueuePlace(options)
    this.#options = options
    this.#requests = new BlkRequests(options)
    this.#availableAt = options.at + driverOffset(options.size)
    this.#usedAt = options.at + deviceOffset(options.size)
    options.view.setUint16(this.#availableAt + AvailableRing.FLAGS, AvailableRing.NO_INTERRUPT, true)
  }

  add (request: number, isRead: boolean, sector: number, dataIova: number): void {
    const { view, at, size, isIndirect } = this.#options
    this.#requests.begin(request, isRead, sector)
    const head = isIndirect ? request : request * CHAIN_DESCRIPTORS
    const headAt = at + head * DESCRIPTOR_BYTES
    if (isIndirect) view.setUint32(headAt + 12, this.#requests.describeTable(request, headAt), true)
    const chainAt = isIndirect ? this.#requests.tableAt(request) : headAt
    const first = isIndirect ? 0 : head
    for (let index = 0; index < CHAIN_DESCRIPTORS; index++) {
      const descriptorAt = chainAt + index * DESCRIPTOR_BYTES
      const flags = this.#requests.describe(request, index, descriptorAt, isRead, dataIova)
      view.setUint32(descriptorAt + 12, flags | (first + index + 1) << 16, true)
    }
    const entry = this.#added % size
    view.setUint16(this.#availableAt + AvailableRing.RING + entry * AvailableRing.ENTRY_BYTES, head, true)
    this.#added = (this.#added + 1) & 0xffff
  }

  publish (): void {
    Atomics.store(this.#options.words, this.#availableAt >>> 2, AvailableRing.NO_INTERRUPT | this.#added << 16)
  }

  get wantsNotification (): boolean {
    return (Atomics.load(this.#options.words, this.#usedAt >>> 2) & UsedRing.NO_NOTIFY) === 0
  }

  take (): number {
    const { view, words, size, isIndirect } = this.#options
    if (Atomics.load(words, this.#usedAt >>> 2) >>> 16 === this.#used) return -1
    const id = view.getUint32(this.#usedAt + UsedRing.RING + this.#used % size * UsedRing.ENTRY_BYTES, true)
    this.#used = (this.#used + 1) & 0xffff
    const request = isIndirect ? id : id / CHAIN_DESCRIPTORS
    if (this.#requests.statusOf(request) !== 0) this.failureCount++
    return request
  }
}
