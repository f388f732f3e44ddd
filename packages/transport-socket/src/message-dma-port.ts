import { Errno, ProtocolError } from '@pcikit/core'
import type { DmaPort, Logger } from '@pcikit/core'
import { DATA_OFFSET, examineReadReply, isZero } from './dma-layout.js'
import type { DmaMessageLayout, Evidence } from './dma-layout.js'
import type { DmaRequests } from './dma-requests.js'
import { DMA_ACCESS_BYTES, DmaAccessLayout } from './layouts/dma-access.js'
import { Command } from './protocol.js'

/** As long as the layouts are apart: so many bytes of a reply are data in one of them, and not in the other. */
const WORD_BYTES = DATA_OFFSET.specification - DATA_OFFSET.qemu

/** What the port has to know about its client. */
export interface DmaPortSettings {
  readonly transferBytesMax: number
  /** The layout, where it is known; otherwise it is found out. */
  readonly layout: DmaMessageLayout | undefined
}

/**
 * Memory of the client by message. [vfio-user] "VFIO_USER_DMA_READ" and "VFIO_USER_DMA_WRITE".
 *
 * Some versions of QEMU and the specification disagree on where the data is. Unless it was told, the port finds out
 * which one it has: from what it reads, for a read is asked in the same way in both. See `dma-layout.ts`.
 */
export class MessageDmaPort implements DmaPort {
  readonly transferBytesMax: number
  readonly #requests: Pick<DmaRequests, 'submit'>
  readonly #logger: Logger
  #layout: DmaMessageLayout | undefined
  /** Writes find out the layout one after the other. */
  #search: Promise<void> = Promise.resolve()

  constructor (requests: Pick<DmaRequests, 'submit'>, settings: DmaPortSettings, logger: Logger) {
    this.#requests = requests
    this.transferBytesMax = settings.transferBytesMax
    this.#layout = settings.layout
    this.#logger = logger
  }

  /** The layout in use, once it is known. */
  get layout (): DmaMessageLayout | undefined {
    return this.#layout
  }

  async read (iova: number, target: Uint8Array): Promise<void> {
    await Promise.all(this.#cut(iova, target, (at, piece) => this.#readPiece(at, piece)))
  }

  async write (iova: number, source: Uint8Array): Promise<void> {
    await Promise.all(this.#cut(iova, source, (at, piece) => this.#writePiece(at, piece)))
  }

  #cut (
    iova: number,
    bytes: Uint8Array,
    transfer: (iova: number, piece: Uint8Array) => Promise<void>
  ): Promise<void>[] {
    const pieces: Promise<void>[] = []
    for (let start = 0; start < bytes.length; start += this.transferBytesMax) {
      pieces.push(transfer(iova + start, bytes.subarray(start, start + this.transferBytesMax)))
    }
    return pieces
  }

  async #readPiece (iova: number, target: Uint8Array): Promise<void> {
    if (this.#layout !== undefined) {
      await this.#ask(iova, target, this.#layout)
      return
    }
    const copies = { specification: new Uint8Array(target.length), qemu: new Uint8Array(target.length) }
    const evidence = await this.#examine(iova, target.length, copies)
    if (evidence.kind === 'ambiguous') await this.#probe(iova + evidence.firstByte)
    target.set(copies[this.#layout ?? 'specification'])
  }

  async #writePiece (iova: number, source: Uint8Array): Promise<void> {
    // Zeroes are laid out the same in both.
    if (this.#layout === undefined && !isZero(source)) {
      this.#search = this.#search.then(() => this.#tryWord(iova, source))
      await this.#search
    }
    await this.#tell(iova, source, this.#layout ?? 'specification')
  }

  /**
   * Finds out the layout by the first word of a write that is not zero. What is there before tells, unless it is zero.
   * Then the word is written in the layout of the specification, in which a client with QEMU's sees zeroes for the very
   * same place: no memory ever holds anything but what was there and what belongs there.
   */
  async #tryWord (iova: number, source: Uint8Array): Promise<void> {
    const start = firstWord(source)
    const word = source.subarray(start, start + WORD_BYTES)
    try {
      if (this.#layout === undefined) await this.#examine(iova + start, word.length)
      if (this.#layout !== undefined) return
      // The word may be what makes the guest look at those before it, which are zero from now on.
      if (start > 0) await this.#tell(iova, source.subarray(0, start), 'specification')
      await this.#tell(iova + start, word, 'specification')
      const after = await this.#examine(iova + start, word.length)
      if (after.kind === 'none') this.#decide('qemu')
    } catch {
      // What cannot be read says nothing. Whether it can be written, the write as a whole finds out.
    }
  }

  /**
   * Reads around the first byte that is not zero, in a way that one of the layouts shows it where the other has zeroes.
   * `iova` is its address if the layout is QEMU's; if it is the specification's, it lies four bytes before.
   */
  async #probe (iova: number): Promise<void> {
    await this.#examine(iova, 1)
    if (this.#layout === undefined) await this.#examine(iova - WORD_BYTES, WORD_BYTES)
  }

  /** Reads, and takes note of what the reply says about the layout. Copies the data as either layout has it. */
  async #examine (iova: number, count: number, copies?: Record<DmaMessageLayout, Uint8Array>): Promise<Evidence> {
    const nothing = (): void => undefined
    return await this.#send(Command.DMA_READ, iova, count, DMA_ACCESS_BYTES, nothing, (view, at, byteLength) => {
      const evidence = examineReadReply(view, at, byteLength, count)
      if (evidence.kind === 'certain') this.#decide(evidence.layout)
      if (copies === undefined) return evidence
      const reply = new Uint8Array(view.buffer, view.byteOffset + at, byteLength)
      for (const layout of ['specification', 'qemu'] as const) {
        copies[layout].set(reply.subarray(DATA_OFFSET[layout], DATA_OFFSET[layout] + count))
      }
      return evidence
    })
  }

  #decide (layout: DmaMessageLayout): void {
    if (this.#layout === layout) return
    this.#layout = layout
    this.#logger.info({ layout }, 'Found out how the client lays out DMA_READ and DMA_WRITE')
  }

  #ask (iova: number, target: Uint8Array, layout: DmaMessageLayout): Promise<void> {
    const nothing = (): void => undefined
    return this.#send(Command.DMA_READ, iova, target.length, DMA_ACCESS_BYTES, nothing, (view, at, byteLength) => {
      const start = DATA_OFFSET[layout]
      if (byteLength < start + target.length) {
        throw new ProtocolError(Errno.EIO, `The client answered ${target.length} bytes with ${byteLength} in all.`)
      }
      target.set(new Uint8Array(view.buffer, view.byteOffset + at + start, target.length))
    })
  }

  #tell (iova: number, source: Uint8Array, layout: DmaMessageLayout): Promise<void> {
    const byteLength = DMA_ACCESS_BYTES + source.length
    const data = DATA_OFFSET[layout]
    const write = (view: DataView, bytes: Uint8Array, at: number): void => {
      view.setUint32(at + byteLength - 4, 0, true)
      bytes.set(source, at + data)
    }
    return this.#send(Command.DMA_WRITE, iova, source.length, byteLength, write, () => undefined)
  }

  #send<T> (
    command: number,
    iova: number,
    count: number,
    byteLength: number,
    write: (view: DataView, bytes: Uint8Array, position: number) => void,
    take: (view: DataView, position: number, byteLength: number) => T
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#requests.submit({
        command,
        byteLength,
        write: (view, bytes, position) => {
          // The 32 bits above the count are zero, or the first data where QEMU's layout has none above it.
          DmaAccessLayout.address.set(view, position, iova)
          DmaAccessLayout.count.set(view, position, count)
          write(view, bytes, position)
        },
        resolve: (view, position, size) => {
          try {
            resolve(take(view, position, size))
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        },
        reject
      })
    })
  }
}

/** Where the first word begins that is not zero. The last one may be short. */
function firstWord (source: Uint8Array): number {
  const first = source.findIndex(byte => byte !== 0)
  return first - first % WORD_BYTES
}
