const EMPTY = 0
const WRITTEN = 1
const FULL = 2

/**
 * What the driver is to be told, oldest first. Where buffers have to be used in order, each has its place from the time
 * it was taken, and is ready when all before it are.
 *
 * ```
 *   first ──► ready, ready, ready, reserved, completed, reserved ...
 *             └──── readyCount ──┘
 * ```
 */
export class UsedList {
  readonly isInOrder: boolean
  /** How many of the oldest ones can be told. */
  readyCount = 0
  readonly #ids: Uint16Array
  readonly #descriptorCounts: Uint16Array
  readonly #lengths: Uint32Array
  readonly #states: Uint8Array
  readonly #mask: number
  #first = 0
  #count = 0

  /** @param size entries of the queue: there are never more at a time */
  constructor (size: number, isInOrder: boolean) {
    const capacity = 2 ** Math.ceil(Math.log2(size))
    this.isInOrder = isInOrder
    this.#mask = capacity - 1
    this.#ids = new Uint16Array(capacity)
    this.#descriptorCounts = new Uint16Array(capacity)
    this.#lengths = new Uint32Array(capacity)
    this.#states = new Uint8Array(capacity)
  }

  /** A place after all others, for a buffer of so many descriptors of the ring. */
  reserve (id: number, descriptorCount: number): number {
    const place = (this.#first + this.#count++) & this.#mask
    this.#ids[place] = id
    this.#descriptorCounts[place] = descriptorCount
    this.#states[place] = EMPTY
    return place
  }

  /** The buffer with this place is done. `isFull` when every byte that the device could write was written. */
  fill (place: number, length: number, isFull: boolean): void {
    this.#lengths[place] = length
    this.#states[place] = isFull ? FULL : WRITTEN
    while (this.readyCount < this.#count && this.#states[this.#at(this.readyCount)] !== EMPTY) this.readyCount++
  }

  /** What is `index` after the oldest one. */
  idAt (index: number): number {
    return this.#ids[this.#at(index)]!
  }

  lengthAt (index: number): number {
    return this.#lengths[this.#at(index)]!
  }

  descriptorCountAt (index: number): number {
    return this.#descriptorCounts[this.#at(index)]!
  }

  /**
   * The last one that can be told together with the one at `index`, of the first `count`. The driver takes those that
   * are passed over for written completely. [virtio] "In-order use of descriptors".
   */
  batchEnd (index: number, count: number): number {
    if (!this.isInOrder) return index
    let end = index
    while (end + 1 < count && this.#states[this.#at(end)] === FULL) end++
    return end
  }

  /** Forgets the `count` oldest ones. */
  drop (count: number): void {
    this.#first = (this.#first + count) & this.#mask
    this.#count -= count
    this.readyCount -= count
  }

  #at (index: number): number {
    return (this.#first + index) & this.#mask
  }
}
