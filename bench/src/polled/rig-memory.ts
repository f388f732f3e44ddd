import { readdirSync, readlinkSync } from 'node:fs'
import { MemoryBackend } from '@pcikit/block'
import { DmaAccess, silentLogger, silentRecorder } from '@pcikit/core'
import { MappedDmaManager, mappedDmaOptions } from '@pcikit/dma'
import { createMemoryFile, duplicateDescriptor, Mapping } from '@pcikit/native'

const MIB = 1024 * 1024
const PAGE_BYTES = 4096
export const BLOCK_BYTES = 512
/** The address of the guest's memory for the device. */
export const IOVA = 2 ** 32
/** Where the guest's data is in its memory. What is before it has rings and requests. */
export const DATA_AT = 16 * MIB

/** What memory is made for. */
export interface RigMemoryOptions {
  readonly transferBytes: number
  readonly queueDepth: number
  readonly diskBytes?: number
  /** Regions that the guest's data is cut into, of a page each; 1: one region has all of the memory. */
  readonly regions?: number
  /** Pages that data comes from and goes to, at random. Without it each slot of the queue has its buffer. */
  readonly dataPages?: number
}

/** The memory of a guest behind a real DMA manager, and a real memory back end, each seen by its other side as well. */
export class RigMemory implements AsyncDisposable {
  readonly dma: MappedDmaManager
  readonly backend: MemoryBackend
  readonly view: DataView
  readonly words: Uint32Array
  readonly #options: RigMemoryOptions
  readonly #mappings: readonly Mapping[]
  readonly #guest: Uint8Array
  readonly #storage: Uint8Array
  readonly #transfers: number
  #seed = 1

  private constructor (options: RigMemoryOptions, dma: MappedDmaManager, guestMemory: Mapping) {
    const { backend, memory } = openStorage(options.diskBytes ?? 256 * MIB)
    const guest = guestMemory.window(0, guestMemory.byteLength)
    const storage = memory.window(0, memory.byteLength)
    touchPages(storage)
    this.dma = dma
    this.backend = backend
    this.view = new DataView(guest)
    this.words = new Uint32Array(guest)
    this.#options = options
    this.#mappings = [guestMemory, memory]
    this.#guest = new Uint8Array(guest)
    this.#storage = new Uint8Array(storage)
    this.#transfers = Math.floor(storage.byteLength / options.transferBytes)
  }

  static create (options: RigMemoryOptions): RigMemory {
    const pages = Math.max(options.dataPages ?? 0, options.queueDepth * options.transferBytes / PAGE_BYTES)
    const regions = options.regions ?? 1
    const guestBytes = DATA_AT + Math.max(pages, regions) * PAGE_BYTES
    const descriptor = createMemoryFile('bench-guest', guestBytes, { seal: true })
    const guest = Mapping.map(descriptor, 0, guestBytes, { read: true, write: true })
    const dma = new MappedDmaManager(mappedDmaOptions.parse({ regionsMax: 2 ** 17 }), silentRecorder, silentLogger)
    const map = (offset: number, byteLength: number): void => {
      const file = { fileOffset: offset, descriptor: duplicateDescriptor(descriptor) }
      dma.map({ iova: IOVA + offset, byteLength, access: DmaAccess.READ_WRITE, ...file })
    }
    map(0, regions === 1 ? guestBytes : DATA_AT)
    for (let page = 0; regions > 1 && page < regions; page++) map(DATA_AT + page * PAGE_BYTES, PAGE_BYTES)
    dma.setBusMaster(true)
    return new RigMemory(options, dma, guest)
  }

  /** Gives the memory back. */
  async [Symbol.asyncDispose] (): Promise<void> {
    for (const mapping of this.#mappings) mapping.unmap()
    await this.backend[Symbol.asyncDispose]()
  }

  /** Where the data of a slot of the queue is in the guest's memory: in a buffer of its own, or at random. */
  dataAt (slot: number): number {
    const { dataPages, transferBytes } = this.#options
    return DATA_AT + (dataPages === undefined ? slot * transferBytes : this.#random(dataPages) * PAGE_BYTES)
  }

  /** Where a transfer at random is on the disk, in bytes. */
  randomAt (): number {
    return this.#random(this.#transfers) * this.#options.transferBytes
  }

  /** The least there can be of a read: one copy. */
  copyOut (storageAt: number, guestAt: number, byteLength: number): void {
    this.#guest.set(this.#storage.subarray(storageAt, storageAt + byteLength), guestAt)
  }

  /** The least there can be of a write. */
  copyIn (storageAt: number, guestAt: number, byteLength: number): void {
    this.#storage.set(this.#guest.subarray(guestAt, guestAt + byteLength), storageAt)
  }

  #random (end: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0
    return Math.floor(this.#seed / 0x1_0000_0000 * end)
  }
}

/** A back end that was written everywhere, and its memory: a memory file can be mapped a second time. */
function openStorage (diskBytes: number): { readonly backend: MemoryBackend, readonly memory: Mapping } {
  const before = storageFiles()
  const backend = MemoryBackend.open(diskBytes, { blockSize: BLOCK_BYTES })
  const descriptor = storageFiles().find(each => !before.includes(each))
  if (descriptor === undefined) throw new Error('The memory of the back end is not to be found.')
  const part = new Uint8Array(MIB).fill(7)
  for (let at = 0; at < diskBytes; at += MIB) backend.write(at / BLOCK_BYTES, part)
  return { backend, memory: Mapping.map(descriptor, 0, diskBytes, { read: true, write: true }) }
}

/** The first access to a page costs more than a command. */
function touchPages (buffer: ArrayBuffer): void {
  const bytes = new Uint8Array(buffer)
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) bytes[at] = bytes[at]!
}

function storageFiles (): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(descriptor => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).includes('memfd:pcikit-block')
    } catch {
      return false
    }
  })
}
