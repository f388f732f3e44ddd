/**
 * A fixed-width little-endian field at a fixed byte offset inside a structure. It holds no memory: `get` and `set`
 * take a long-lived view and the byte position at which the structure starts in it.
 */
export abstract class Field<Value = number> {
  /** Bytes from the start of the structure. */
  readonly offset: number
  /** Width in bytes. */
  readonly size: number

  constructor (offset: number, size: number) {
    if (!Number.isInteger(offset) || offset < 0) throw new RangeError(`A field cannot be at offset ${offset}.`)
    if (!Number.isInteger(size) || size <= 0) throw new RangeError(`A field cannot be ${size} bytes wide.`)
    this.offset = offset
    this.size = size
  }

  abstract get (view: DataView, base: number): Value
  abstract set (view: DataView, base: number, value: Value): void
}

/** An 8-bit unsigned field. */
export class U8 extends Field {
  constructor (offset: number) {
    super(offset, 1)
  }

  get (view: DataView, base: number): number {
    return view.getUint8(base + this.offset)
  }

  set (view: DataView, base: number, value: number): void {
    view.setUint8(base + this.offset, value)
  }
}

/** A 16-bit unsigned field. */
export class U16 extends Field {
  constructor (offset: number) {
    super(offset, 2)
  }

  get (view: DataView, base: number): number {
    return view.getUint16(base + this.offset, true)
  }

  set (view: DataView, base: number, value: number): void {
    view.setUint16(base + this.offset, value, true)
  }
}

/** A 32-bit unsigned field. */
export class U32 extends Field {
  constructor (offset: number) {
    super(offset, 4)
  }

  get (view: DataView, base: number): number {
    return view.getUint32(base + this.offset, true)
  }

  set (view: DataView, base: number, value: number): void {
    view.setUint32(base + this.offset, value, true)
  }
}

const WORD = 0x1_0000_0000

/**
 * A 64-bit field read as a double: exact below 2^53, and a raw value at or above 2^53 never reads as less than that.
 * Guest memory ends below 2^53, so an address that is out of range stays out of range.
 */
export class U64 extends Field {
  constructor (offset: number) {
    super(offset, 8)
  }

  get (view: DataView, base: number): number {
    const at = base + this.offset
    return view.getUint32(at, true) + view.getUint32(at + 4, true) * WORD
  }

  set (view: DataView, base: number, value: number): void {
    const at = base + this.offset
    view.setUint32(at, value >>> 0, true)
    view.setUint32(at + 4, Math.floor(value / WORD), true)
  }
}

/** A 128-bit counter read as a double: exact below 2^53. Writing takes whole numbers below 2^64. */
export class U128 extends Field {
  constructor (offset: number) {
    super(offset, 16)
  }

  get (view: DataView, base: number): number {
    const at = base + this.offset
    const low = view.getUint32(at, true) + view.getUint32(at + 4, true) * WORD
    return low + (view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * WORD) * WORD * WORD
  }

  set (view: DataView, base: number, value: number): void {
    const at = base + this.offset
    view.setUint32(at, value >>> 0, true)
    view.setUint32(at + 4, Math.floor(value / WORD), true)
    view.setUint32(at + 8, 0, true)
    view.setUint32(at + 12, 0, true)
  }
}

/** A run of bytes. `get` makes a new array over the same memory, so it is not for hot paths. */
export class Bytes extends Field<Uint8Array> {
  get (view: DataView, base: number): Uint8Array {
    return new Uint8Array(view.buffer, view.byteOffset + base + this.offset, this.size)
  }

  /** Writes all of the value, and zeroes after it. Throws RangeError where it does not fit. */
  set (view: DataView, base: number, value: Uint8Array): void {
    if (value.length > this.size) throw new RangeError(`${value.length} bytes do not fit in ${this.size}.`)
    const target = this.get(view, base)
    target.fill(0)
    target.set(value)
  }
}

/** Printable ASCII, left-justified and padded with spaces. Not for hot paths. */
export class Ascii extends Field<string> {
  /** The text without the spaces and zeroes at its end. */
  get (view: DataView, base: number): string {
    const at = base + this.offset
    let text = ''
    for (let index = 0; index < this.size; index++) text += String.fromCharCode(view.getUint8(at + index))
    return text.replace(/[ \0]+$/, '')
  }

  /** Throws RangeError where the text is too long or not printable ASCII. */
  set (view: DataView, base: number, value: string): void {
    if (value.length > this.size) throw new RangeError(`'${value}' is longer than ${this.size} characters.`)
    if (!/^[ -~]*$/.test(value)) throw new RangeError(`'${value}' has characters that are not printable ASCII.`)
    const at = base + this.offset
    for (let index = 0; index < this.size; index++) {
      view.setUint8(at + index, index < value.length ? value.charCodeAt(index) : 0x20)
    }
  }
}

/** Declares an 8-bit field. */
export const u8 = (offset: number): U8 => new U8(offset)
/** Declares a 16-bit field. */
export const u16 = (offset: number): U16 => new U16(offset)
/** Declares a 32-bit field. */
export const u32 = (offset: number): U32 => new U32(offset)
/** Declares a 64-bit field. */
export const u64 = (offset: number): U64 => new U64(offset)
/** Declares a 128-bit counter. */
export const u128 = (offset: number): U128 => new U128(offset)
/** Declares a run of `size` bytes. */
export const bytes = (offset: number, size: number): Bytes => new Bytes(offset, size)
/** Declares an ASCII string of `size` characters, padded with spaces. */
export const ascii = (offset: number, size: number): Ascii => new Ascii(offset, size)
