import { Errno, ProtocolError } from '@pcikit/core'
import type { DmaPort, Logger } from '@pcikit/core'
import { DATA_OFFSET, examineReadReply, isZero } from './dma-layout.js'
import type { DmaMessageLayout, Evidence } from './dma-layout.js'
import type { DmaRequests } from './dma-requests.js'
import { DMA_ACCESS_BYTES, DmaAccessLayout } from './layouts/dma-access.js'
import { Command } from './protocol.js'

/** How many bytes a question about the layout reads. */
const PROBE_BYTES = 4

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
  readonly #requests: DmaRequests
  readonly #logger: Logger
  #layout: DmaMessageLayout | undefined
  #firstWrite: Promise<void> | undefined = undefined

  constructor (requests: DmaRequests, settings: DmaPortSettings, logger: Logger) {
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
    if (this.#layout !== undefined || isZero(source)) {
      await this.#tell(iova, source, this.#layout ?? 'specification')
      return
    }
    if (this.#firstWrite !== undefined) {
      await this.#firstWrite
      await this.#writePiece(iova, source)
      return
    }
    const firstWrite = this.#writeFirst(iova, source)
    this.#firstWrite = firstWrite.catch(() => undefined).then(() => {
      this.#firstWrite = undefined
    })
    await firstWrite
  }

  /** A write before the layout is known. What it overwrites, or else what it wrote, tells. */
  async #writeFirst (iova: number, source: Uint8Array): Promise<void> {
    const copy = new Uint8Array(source.length)
    await this.#readPiece(iova, copy).catch(() => undefined)
    const layout = this.#layout ?? await this.#tryWrite(iova, source, copy)
    if (layout !== undefined) await this.#tell(iova, source, layout)
  }

  /**
   * Writes in the layout of the specification, and reads back: in QEMU's, a client with the other one would take data
   * for a count. Gives the layout to write in once more, if it was the wrong one.
   */
  async #tryWrite (iova: number, source: Uint8Array, copy: Uint8Array): Promise<DmaMessageLayout | undefined> {
    await this.#tell(iova, source, 'specification')
    const isRead = await this.#readPiece(iova, copy).then(() => true, () => false)
    // Nothing arrived: the data of a short message lies behind what QEMU's layout counts.
    if (this.#layout === undefined && isRead && isZero(copy)) this.#decide('qemu')
    return this.#layout === 'qemu' ? 'qemu' : undefined
  }

  /**
   * Reads around the first byte that is not zero, in a way that one of the layouts shows it where the other has zeroes.
   * `iova` is its address if the layout is QEMU's; if it is the specification's, it lies four bytes before.
   */
  async #probe (iova: number): Promise<void> {
    await this.#examine(iova, 1)
    if (this.#layout === undefined) await this.#examine(iova - PROBE_BYTES, PROBE_BYTES)
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
