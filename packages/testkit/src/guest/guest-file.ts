import { closeDescriptor, createMemoryFile, Mapping } from '@pcikit/native'

/** A file in memory, mapped here: what a hypervisor has behind its guest's RAM. */
export class GuestFile {
  readonly descriptor: number
  readonly byteLength: number
  readonly bytes: Uint8Array
  readonly view: DataView
  /** The file in words, for `Atomics`. */
  readonly words: Uint32Array
  readonly #mapping: Mapping
  #isClosed = false

  private constructor (descriptor: number, byteLength: number, mapping: Mapping) {
    this.descriptor = descriptor
    this.byteLength = byteLength
    this.#mapping = mapping
    const buffer = mapping.window(0, byteLength)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.words = new Uint32Array(buffer)
  }

  /** Makes a file of zeroes. The size is in bytes, a multiple of the page size below 4 GiB. */
  static create (byteLength: number): GuestFile {
    const descriptor = createMemoryFile('guest-memory', byteLength)
    const mapping = Mapping.map(descriptor, 0, byteLength, { read: true, write: true })
    return new GuestFile(descriptor, byteLength, mapping)
  }

  /** Unmaps and closes the file. Peers that mapped it keep what they have. */
  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#mapping.unmap()
    closeDescriptor(this.descriptor)
  }
}
