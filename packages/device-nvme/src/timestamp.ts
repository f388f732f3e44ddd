import { TIMESTAMP_BYTES } from './layouts/features.js'

/** [NVMe-Base] "Timestamp – Data Structure for Get Features": Timestamp Origin, set by the host. */
const ORIGIN_HOST = 1
/** Byte of the attributes: Synch in bit 0, Timestamp Origin in 3:1. */
const ATTRIBUTES_AT = 6

/** The controller's clock: milliseconds since 1970 as the host set it, or since the last reset. */
export class Timestamp {
  #baseMs = 0
  #setAtMs = performance.now()
  #origin = 0

  /** Takes the data structure of Set Features. */
  set (data: Uint8Array): void {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    this.#baseMs = view.getUint32(0, true) + view.getUint16(4, true) * 0x1_0000_0000
    this.#setAtMs = performance.now()
    this.#origin = ORIGIN_HOST
  }

  /** The data structure of Get Features. */
  toBytes (): Uint8Array {
    const bytes = new Uint8Array(TIMESTAMP_BYTES)
    const view = new DataView(bytes.buffer)
    const nowMs = this.#baseMs + Math.floor(performance.now() - this.#setAtMs)
    view.setUint32(0, nowMs >>> 0, true)
    view.setUint16(4, Math.floor(nowMs / 0x1_0000_0000), true)
    bytes[ATTRIBUTES_AT] = this.#origin << 1
    return bytes
  }

  /** The data structure of Get Features, and so with the origin that Set Features does not tell. */
  restore (data: Uint8Array): void {
    this.set(data)
    this.#origin = data[ATTRIBUTES_AT]! >>> 1
  }

  /** A Controller Level Reset sets it to zero. */
  reset (): void {
    this.#baseMs = 0
    this.#setAtMs = performance.now()
    this.#origin = 0
  }
}
