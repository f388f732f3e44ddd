/** What a buffer has at rest, and goes back to after a longer message. */
const HOME_BYTES = 64 << 10

/** The least room that is offered to a receive. */
const ROOM_BYTES_MIN = 4 << 10

/**
 * Bytes of a stream from their arrival until they are handled. They are named by their place in the stream, which does
 * not change when they are moved to the front of the buffer or to a larger one.
 */
export class ReceiveBuffer {
  readonly #home: Uint8Array<ArrayBuffer>
  readonly #homeView: DataView
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  /** The place in the stream of the buffer's first byte. */
  #base = 0
  #end = 0

  constructor () {
    this.#home = new Uint8Array(HOME_BYTES)
    this.#homeView = new DataView(this.#home.buffer)
    this.#bytes = this.#home
    this.#view = this.#homeView
  }

  /** All of the memory that is in use now. Changes in `makeRoom` and `release` only. */
  get bytes (): Uint8Array<ArrayBuffer> {
    return this.#bytes
  }

  get view (): DataView {
    return this.#view
  }

  /** The place in the stream after the last byte that is here. */
  get end (): number {
    return this.#base + this.#end
  }

  /** Where the next received bytes go, as a position in `bytes`. */
  get tail (): number {
    return this.#end
  }

  /** How many bytes can be received at once. */
  get room (): number {
    return this.#bytes.length - this.#end
  }

  /** Turns a place in the stream into a position in `bytes` and `view`. */
  positionOf (place: number): number {
    return place - this.#base
  }

  /** Counts bytes that were received at `tail`. */
  accept (byteLength: number): void {
    this.#end += byteLength
  }

  /**
   * Makes room for `byteLength` more bytes, keeping those from `kept` on. The caller has checked the length.
   *
   * @param isPinned someone still reads what is here: leave it in its place and copy what is kept to other memory
   */
  makeRoom (byteLength: number, kept: number, isPinned: boolean): void {
    const wanted = Math.max(byteLength, ROOM_BYTES_MIN)
    if (this.room >= wanted) return
    const start = this.positionOf(kept)
    const keptBytes = this.#end - start
    if (!isPinned && this.#bytes.length - keptBytes >= wanted) {
      this.#bytes.copyWithin(0, start, this.#end)
    } else {
      const larger = new Uint8Array(Math.max(HOME_BYTES, keptBytes + wanted))
      larger.set(this.#bytes.subarray(start, this.#end))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    this.#base += start
    this.#end = keptBytes
  }

  /** Forgets all bytes; nobody reads them any more. Memory that one long message needed is given back. */
  release (): void {
    this.#base += this.#end
    this.#end = 0
    this.#bytes = this.#home
    this.#view = this.#homeView
  }
}
