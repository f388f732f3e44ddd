/** A field of bits inside a 32-bit word. Made by {@link bits}. */
export class Bits {
  /** The lowest bit. */
  readonly lsb: number
  /** The field's bits in place, unsigned. */
  readonly mask: number
  /** The largest value that fits. */
  readonly max: number

  constructor (msb: number, lsb: number) {
    if (!Number.isInteger(msb) || !Number.isInteger(lsb) || lsb < 0 || msb > 31 || msb < lsb) {
      throw new RangeError(`Bits ${msb}:${lsb} are not a field of a 32-bit word. Write them as MSB, LSB.`)
    }
    this.lsb = lsb
    this.max = 2 ** (msb - lsb + 1) - 1
    this.mask = this.max * 2 ** lsb
  }

  /** The field's value in `word`. */
  get (word: number): number {
    return (word & this.mask) >>> this.lsb
  }

  /** `word` with the field's value replaced, unsigned. Bits of `value` that do not fit are cut off. */
  set (word: number, value: number): number {
    return ((word & ~this.mask) | ((value << this.lsb) & this.mask)) >>> 0
  }

  /** Whether any bit of the field is set in `word`. */
  isSet (word: number): boolean {
    return (word & this.mask) !== 0
  }
}

/**
 * Declares bits of a word as specifications print them, `MSB:LSB`, or a single bit.
 *
 * @example const Cc = Object.freeze({ EN: bits(0), MPS: bits(10, 7) })
 */
export const bits = (msb: number, lsb: number = msb): Bits => new Bits(msb, lsb)
