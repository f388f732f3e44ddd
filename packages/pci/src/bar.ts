import type { AccessSize, BarHandler } from './description.js'

/** Registers that are read and written as words of 32 bits. A `RegisterBank` is one. */
export interface WordHandler {
  read(offset: number): number
  /** `lanes` has the bits set that the access carries: those of the bytes written. */
  write(offset: number, value: number, lanes: number): void | Promise<void>
}

/** Bits of an access of 1, 2 or 4 bytes, at the lowest byte. */
const LANES = [0, 0xff, 0xffff, 0, 0xffff_ffff] as const

/**
 * Makes a {@link BarHandler} of one that knows whole words only: narrower reads take their part of the word, narrower
 * writes say which lanes they carry, so that bits cleared by writing 1 survive beside them.
 */
export function words (handler: WordHandler): BarHandler {
  return {
    read: (offset, size) => {
      if (size === 4) return handler.read(offset)
      const byte = offset & 3
      return (handler.read(offset - byte) >>> (byte * 8)) & LANES[size]
    },
    write: (offset, size, value) => {
      if (size === 4) return handler.write(offset, value, LANES[4])
      const byte = offset & 3
      return handler.write(offset - byte, (value << (byte * 8)) >>> 0, (LANES[size] << (byte * 8)) >>> 0)
    }
  }
}

/** A part of a BAR that something else than the device answers for. Offsets of its handler start at 0. */
export interface BarOverlay {
  readonly offset: number
  readonly byteLength: number
  readonly handler: BarHandler
}

const NOTHING: BarHandler = Object.freeze({ read: () => 0, write: () => undefined })

/** A BAR at work: cuts accesses into aligned parts of at most 4 bytes, and hands each to whoever answers for it. */
export class Bar {
  readonly byteLength: number
  readonly #handler: BarHandler
  readonly #overlays: readonly BarOverlay[]
  /** Where the first overlay starts and the last one ends, to pass all others by with one comparison. */
  readonly #overlayStart: number
  readonly #overlayEnd: number
  /** Up to here the device answers for everything. */
  readonly #plainEnd: number

  constructor (byteLength: number, handler: BarHandler | undefined, overlays: readonly BarOverlay[]) {
    this.byteLength = byteLength
    this.#handler = handler ?? NOTHING
    this.#overlays = overlays
    this.#overlayStart = Math.min(...overlays.map(({ offset }) => offset))
    this.#overlayEnd = Math.max(...overlays.map(({ offset, byteLength }) => offset + byteLength))
    this.#plainEnd = Math.min(byteLength, this.#overlayStart)
  }

  /** Reads any range. Bytes outside of the BAR read as ones. */
  read (offset: number, target: DataView, position: number, count: number): void {
    const end = offset + count
    while (offset < end) {
      const size = partSize(offset, end)
      const value = offset + size > this.byteLength ? 0xffff_ffff : this.#readPart(offset, size)
      if (size === 4) target.setUint32(position, value, true)
      else if (size === 2) target.setUint16(position, value, true)
      else target.setUint8(position, value)
      offset += size
      position += size
    }
  }

  /** Writes any range, part after part; a part that takes time is waited for before the next one. */
  write (offset: number, source: DataView, position: number, count: number): void | Promise<void> {
    // The way of a doorbell.
    if (count === 4 && (offset & 3) === 0 && offset < this.#plainEnd) {
      return this.#handler.write(offset, 4, source.getUint32(position, true))
    }
    const end = offset + count
    while (offset < end) {
      const size = partSize(offset, end)
      const value = size === 4 ?
        source.getUint32(position, true) :
        size === 2 ?
        source.getUint16(position, true) :
        source.getUint8(position)
      const done = offset + size > this.byteLength ? undefined : this.#writePart(offset, size, value)
      offset += size
      position += size
      if (done === undefined) continue
      return offset < end ? this.#writeRest(done, offset, source, position, end - offset) : done
    }
  }

  /** The caller takes its buffer back when a write returns, so the rest is copied before anything is waited for. */
  #writeRest (first: Promise<void>, offset: number, source: DataView, position: number, count: number): Promise<void> {
    const start = source.byteOffset + position
    const rest = new DataView(source.buffer.slice(start, start + count))
    return first.then(() => this.write(offset, rest, 0, count))
  }

  #readPart (offset: number, size: AccessSize): number {
    const overlay = this.#overlayAt(offset)
    if (overlay === undefined) return this.#handler.read(offset, size)
    return overlay.handler.read(offset - overlay.offset, size)
  }

  #writePart (offset: number, size: AccessSize, value: number): void | Promise<void> {
    const overlay = this.#overlayAt(offset)
    if (overlay === undefined) return this.#handler.write(offset, size, value)
    return overlay.handler.write(offset - overlay.offset, size, value)
  }

  #overlayAt (offset: number): BarOverlay | undefined {
    if (offset < this.#overlayStart || offset >= this.#overlayEnd) return undefined
    for (const overlay of this.#overlays) {
      if (offset >= overlay.offset && offset < overlay.offset + overlay.byteLength) return overlay
    }
    return undefined
  }
}

/** The largest aligned part that an access can start with. */
function partSize (offset: number, end: number): AccessSize {
  const left = end - offset
  if (left >= 4 && (offset & 3) === 0) return 4
  return left >= 2 && (offset & 1) === 0 ? 2 : 1
}
