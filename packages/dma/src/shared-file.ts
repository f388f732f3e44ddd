import { DmaAccess, Errno, ProtocolError } from '@pcikit/core'
import { closeDescriptor, describeDescriptor, getSeals, Seal } from '@pcikit/native'
import type { DescriptorDescription } from '@pcikit/native'

/** A file that holds guest memory, for as long as there is a region of it. */
export class SharedFile {
  readonly descriptor: number
  /** The size of its pages where it is a file of huge pages. */
  readonly blockBytes: number
  /** Whether the client could make the file shorter under our mappings: nothing forbids it. */
  readonly canShrink: boolean
  readonly allowsWrite: boolean
  /** Infinite for what has no size, such as a device. */
  byteLength: number
  /** Set when the file became shorter; cleared by whoever dealt with that. */
  hasShrunk = false
  regionCount = 0
  /** Under which name FileTable knows it. */
  readonly key: string

  constructor (descriptor: number, key: string, description: DescriptorDescription) {
    const seals = sealsOf(descriptor)
    this.descriptor = descriptor
    this.key = key
    this.blockBytes = description.blockBytes
    this.canShrink = (seals & Seal.SHRINK) === 0
    this.allowsWrite = description.writable && (seals & (Seal.WRITE | Seal.FUTURE_WRITE)) === 0
    this.byteLength = sizeOf(description)
  }

  /** Asks the system for the size again. */
  refresh (): void {
    this.resize(describeDescriptor(this.descriptor))
  }

  resize (description: DescriptorDescription): void {
    const byteLength = sizeOf(description)
    if (byteLength < this.byteLength) this.hasShrunk = true
    this.byteLength = byteLength
  }
}

/**
 * The files behind the regions of a device. A client sends a descriptor with each region, thousands of one file under a
 * vIOMMU: one is kept for each file.
 */
export class FileTable {
  /** A file was seen to be shorter than before, and nobody took that yet: see {@link FileTable.takeShrunk}. */
  hasShrunk = false
  readonly #files = new Map<string, SharedFile>()
  #shrinkable = 0

  /** Whether any of the files could become shorter. */
  get canShrink (): boolean {
    return this.#shrinkable > 0
  }

  /** The file of a descriptor, which belongs to the table from now on. Throws ProtocolError when it is of no use. */
  adopt (descriptor: number, access: DmaAccess): SharedFile {
    const description = describe(descriptor)
    const key = keyOf(descriptor, description)
    let keep = false
    try {
      const known = this.#files.get(key)
      const file = known ?? new SharedFile(descriptor, key, description)
      if ((access & DmaAccess.WRITE) !== 0 && !file.allowsWrite) {
        throw new ProtocolError(Errno.EACCES, 'The region is to be writable, but its descriptor is not')
      }
      file.resize(description)
      this.#notice(file)
      file.regionCount += 1
      if (known === undefined) this.#add(file)
      keep = known === undefined
      return file
    } finally {
      if (!keep) closeDescriptor(descriptor)
    }
  }

  /** Asks the system for the size of a file again. */
  refresh (file: SharedFile): void {
    file.refresh()
    this.#notice(file)
  }

  /** Gives up one region's use of the file. The last one closes it. */
  release (file: SharedFile): void {
    file.regionCount -= 1
    if (file.regionCount > 0) return
    this.#files.delete(file.key)
    if (file.canShrink) this.#shrinkable -= 1
    closeDescriptor(file.descriptor)
  }

  /** Asks for the size of every file that can change. Returns those that became shorter since the last time. */
  takeShrunk (): ReadonlySet<SharedFile> {
    const shrunk = new Set<SharedFile>()
    for (const file of this.#files.values()) {
      if (!file.canShrink) continue
      file.refresh()
      if (file.hasShrunk) shrunk.add(file)
      file.hasShrunk = false
    }
    this.hasShrunk = false
    return shrunk
  }

  #notice (file: SharedFile): void {
    if (file.hasShrunk) this.hasShrunk = true
  }

  #add (file: SharedFile): void {
    this.#files.set(file.key, file)
    if (file.canShrink) this.#shrinkable += 1
  }
}

function describe (descriptor: number): DescriptorDescription {
  try {
    return describeDescriptor(descriptor)
  } catch (cause) {
    throw new ProtocolError(Errno.EBADF, 'The descriptor of the region is not open', { cause })
  }
}

/** Only files proper are known by device and inode: two openings of a device may be two different things. */
function keyOf (descriptor: number, { type, device, inode, writable }: DescriptorDescription): string {
  return type === 'file' ? `${device}:${inode}:${writable ? 'w' : 'r'}` : `descriptor ${descriptor}`
}

function sizeOf (description: DescriptorDescription): number {
  return description.type === 'file' ? description.size : Infinity
}

function sealsOf (descriptor: number): number {
  try {
    return getSeals(descriptor)
  } catch {
    return 0 // Only files in memory have seals; the system says EINVAL for others.
  }
}
