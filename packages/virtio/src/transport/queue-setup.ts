import type { VirtqueueDescription } from '../device-model.js'
import type { VirtqueuePlace } from '../queue/queue-engine.js'
import { isPowerOfTwo } from './device-plan.js'

const WORD = 0x1_0000_0000
/** The end of the addresses handled: what lies below is exact in a double. */
const ADDRESS_END = 2 ** 53

/** The three parts of a queue, as positions among its address registers. */
export const QueueArea = Object.freeze({ DESCRIPTOR: 0, DRIVER: 1, DEVICE: 2 } as const)
export type QueueArea = (typeof QueueArea)[keyof typeof QueueArea]

/** What one part of a queue has to be. */
interface AreaRule {
  readonly name: string
  readonly alignment: number
  readonly byteLength: (size: number) => number
}

/** [virtio] "Split Virtqueues": Descriptor Table, Available Ring, Used Ring. */
const splitRules: readonly AreaRule[] = [
  { name: 'Descriptor Area', alignment: 16, byteLength: size => 16 * size },
  { name: 'Driver Area', alignment: 2, byteLength: size => 6 + 2 * size },
  { name: 'Device Area', alignment: 4, byteLength: size => 6 + 8 * size }
]

/** [virtio] "Packed Virtqueues": Descriptor Ring, Driver and Device Event Suppression. */
const packedRules: readonly AreaRule[] = [
  { name: 'Descriptor Area', alignment: 16, byteLength: size => 16 * size },
  { name: 'Driver Area', alignment: 4, byteLength: () => 4 },
  { name: 'Device Area', alignment: 4, byteLength: () => 4 }
]

/** What the driver sets up for one queue. [virtio] "Common configuration structure layout". */
export class QueueSetup {
  readonly index: number
  readonly entriesMax: number
  /** queue_size as it was written last. */
  size: number
  isEnabled = false
  /** A ring reset is under way: queue_reset reads as 1. */
  isResetting = false
  /** The address registers, low and high half of each area. */
  readonly #addresses = new Uint32Array(6)

  constructor (index: number, { entriesMax }: VirtqueueDescription) {
    this.index = index
    this.entriesMax = entriesMax
    this.size = entriesMax
  }

  /** Whether the driver may change it: not while the device uses it. */
  get isOpen (): boolean {
    return !this.isEnabled && !this.isResetting
  }

  addressWord (area: QueueArea, half: 0 | 1): number {
    return this.#addresses[area * 2 + half]!
  }

  setAddressWord (area: QueueArea, half: 0 | 1, value: number): void {
    if (this.isOpen) this.#addresses[area * 2 + half] = value
  }

  /**
   * What the driver reads as queue_size. [virtio] "Common configuration structure layout": without RING_PACKED it must
   * be "either a value of 0 or a power of 2".
   */
  sizeShown (isPacked: boolean): number {
    return isPacked || isPowerOfTwo(this.size) ? this.size : 0
  }

  /** Where the queue is, or what is wrong with that. */
  place (isPacked: boolean): VirtqueuePlace | string {
    const { size, entriesMax, index } = this
    if (size < 1 || size > entriesMax) return `queue ${index} has a size of ${size}, out of 1 to ${entriesMax}`
    if (!isPacked && !isPowerOfTwo(size)) return `queue ${index} is split and has a size of ${size}, not a power of two`
    for (const [area, { name, alignment, byteLength }] of (isPacked ? packedRules : splitRules).entries()) {
      const iova = this.#address(area)
      if (iova % alignment !== 0) return `the ${name} of queue ${index} is not aligned to ${alignment} bytes`
      if (iova + byteLength(size) > ADDRESS_END || iova >= ADDRESS_END) {
        return `the ${name} of queue ${index} does not end below 2^53`
      }
    }
    return {
      size,
      descriptorArea: this.#address(QueueArea.DESCRIPTOR),
      driverArea: this.#address(QueueArea.DRIVER),
      deviceArea: this.#address(QueueArea.DEVICE)
    }
  }

  /** The state of power-on. */
  reset (): void {
    this.size = this.entriesMax
    this.isEnabled = false
    this.isResetting = false
    this.#addresses.fill(0)
  }

  #address (area: number): number {
    return this.#addresses[area * 2]! + this.#addresses[area * 2 + 1]! * WORD
  }
}
