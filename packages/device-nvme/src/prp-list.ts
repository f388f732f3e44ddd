import type { DmaLease } from '@pcikit/core'
import { DmaFault } from '@pcikit/core'
import { u64 } from '@pcikit/wire'
import { Status } from './status.js'

const ENTRY_BYTES = 8
/** Entries read at once: those of a 4 KiB page. */
const CHUNK_ENTRIES = 512

const PrpEntry = u64(0)

/**
 * One walk over a command's PRP lists, in chunks. Reused from command to command, because a chunk may have to be
 * fetched by message and cannot share its memory meanwhile.
 */
export class PrpList {
  readonly #view = new DataView(new ArrayBuffer(CHUNK_ENTRIES * ENTRY_BYTES))
  /** The first n entries of the buffer, made on first use: DMA reads fill the array they are given. */
  readonly #chunks: (Uint8Array | undefined)[] = new Array<undefined>(CHUNK_ENTRIES + 1).fill(undefined)
  #lease: DmaLease | undefined = undefined
  #pageBytes = 0
  #iova = 0
  #remaining = 0
  #count = 0

  /** Starts at the list at `iova`, which is aligned to 8 bytes, for `byteLength` bytes of data. */
  begin (lease: DmaLease, iova: number, byteLength: number, pageBytes: number): void {
    this.#lease = lease
    this.#iova = iova
    this.#remaining = byteLength
    this.#pageBytes = pageBytes
  }

  /** Where the next chunk is. */
  get iova (): number {
    return this.#iova
  }

  /** Room for the next chunk: as many entries as are needed and as this page of the list has. */
  nextChunk (): Uint8Array {
    const offset = offsetInPage(this.#iova, this.#pageBytes)
    const inPage = (this.#pageBytes - offset) / ENTRY_BYTES
    const count = Math.min(Math.ceil(this.#remaining / this.#pageBytes), inPage, CHUNK_ENTRIES)
    this.#count = count
    let chunk = this.#chunks[count]
    if (chunk === undefined) {
      chunk = new Uint8Array(this.#view.buffer, 0, count * ENTRY_BYTES)
      this.#chunks[count] = chunk
    }
    return chunk
  }

  /**
   * Adds what the chunk describes to the lease, pages that lie one after the other as one. SUCCESS: everything is
   * described. Undefined: there is another chunk. Anything else ends the walk.
   */
  consume (): Status | undefined {
    let start = 0
    let byteLength = 0
    // From here on addresses need not be exact: one above 2^53 must not look like the end of a page again and again.
    const offset = offsetInPage(this.#iova, this.#pageBytes)
    for (let index = 0; index < this.#count; index++) {
      const entry = PrpEntry.get(this.#view, index * ENTRY_BYTES)
      // [NVMe-Base] "Physical Region Page Entry and List": where the list needs another page, the last entry of this
      // page points to it; "the PRP List shall have a memory page offset of 0h", and so shall every entry.
      if (offsetInPage(entry, this.#pageBytes) !== 0) return Status.PRP_OFFSET_INVALID
      const isLastInPage = offset + (index + 1) * ENTRY_BYTES === this.#pageBytes
      if (isLastInPage && this.#remaining > this.#pageBytes) {
        this.#iova = entry
        return this.#append(start, byteLength) ? undefined : Status.DATA_TRANSFER_ERROR
      }
      const length = Math.min(this.#remaining, this.#pageBytes)
      this.#remaining -= length
      if (entry === start + byteLength) {
        byteLength += length
        continue
      }
      if (!this.#append(start, byteLength)) return Status.DATA_TRANSFER_ERROR
      start = entry
      byteLength = length
    }
    if (!this.#append(start, byteLength)) return Status.DATA_TRANSFER_ERROR
    if (this.#remaining === 0) return Status.SUCCESS
    this.#iova += this.#count * ENTRY_BYTES
    return undefined
  }

  #append (iova: number, byteLength: number): boolean {
    return byteLength === 0 || this.#lease!.append(iova, byteLength) === DmaFault.NONE
  }
}

/** Offset of an address in its memory page. Pages are powers of two below 2^32, so the low word decides. */
export function offsetInPage (iova: number, pageBytes: number): number {
  return (iova >>> 0) & (pageBytes - 1)
}
