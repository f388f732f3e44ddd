/**
 * Feature bits that no device type owns. [virtio] "Reserved Feature Bits". Bits 0 to 23 and 50 to 127 belong to the
 * device type.
 */
export const VirtioFeature = Object.freeze(
  {
    INDIRECT_DESC: 28,
    EVENT_IDX: 29,
    VERSION_1: 32,
    ACCESS_PLATFORM: 33,
    RING_PACKED: 34,
    IN_ORDER: 35,
    ORDER_PLATFORM: 36,
    SR_IOV: 37,
    NOTIFICATION_DATA: 38,
    NOTIF_CONFIG_DATA: 39,
    RING_RESET: 40,
    ADMIN_VQ: 41
  } as const
)
export type VirtioFeature = (typeof VirtioFeature)[keyof typeof VirtioFeature]

/** How many feature bits there are: device_feature_select counts words of 32. */
export const FEATURE_BITS = 128
/** Words of 32 feature bits. */
export const FEATURE_WORDS = FEATURE_BITS / 32

/** A set of feature bits, by number. */
export class FeatureSet {
  readonly #words = new Uint32Array(FEATURE_WORDS)

  constructor (bits: Iterable<number> = []) {
    for (const bit of bits) this.add(bit)
  }

  has (bit: number): boolean {
    return (this.#words[bit >>> 5]! >>> (bit & 31) & 1) !== 0
  }

  /** Throws RangeError for a bit that there is not. */
  add (bit: number): void {
    if (!Number.isInteger(bit) || bit < 0 || bit >= FEATURE_BITS) {
      throw new RangeError(`There is no feature bit ${bit}.`)
    }
    this.#words[bit >>> 5]! |= 1 << (bit & 31)
  }

  /** Bits 32 · `select` to 32 · `select` + 31; zero where there are none. */
  word (select: number): number {
    return this.#words[select] ?? 0
  }

  /** Replaces a word. One that there is not is ignored. */
  setWord (select: number, value: number): void {
    if (select < FEATURE_WORDS) this.#words[select] = value
  }

  clear (): void {
    this.#words.fill(0)
  }

  /** Whether every bit of it is in `other` too. */
  isWithin (other: FeatureSet): boolean {
    return this.#words.every((word, select) => (word & ~other.word(select)) === 0)
  }
}
