import type { GuestMemory } from '../../src/guest/guest-memory.js'
import type { QueuePlace } from '../../src/virtio/driver-ring.js'

/** A descriptor as a device reads it, with numbers instead of names. */
export interface SeenDescriptor {
  readonly addr: number
  readonly len: number
  readonly isWritable: boolean
}

/** A chain as a device finds it. */
export interface SeenChain {
  readonly id: number
  readonly descriptors: readonly SeenDescriptor[]
  /** How many descriptors of the ring it takes. */
  readonly ringCount: number
}

/** What a device does with a ring, in the plainest way. Layouts are written out once more. */
export interface DeviceRing {
  /** The next chain that is available. */
  next(): SeenChain | undefined
  /** Gives chains back with one used element, that of the last. */
  use(chains: readonly SeenChain[], written: number): void
}

function viewOf (memory: GuestMemory, iova: number, byteLength: number): { view: DataView, at: number } {
  const { file, position } = memory.locate(iova, byteLength)
  return { view: file.view, at: position }
}

function readTable (memory: GuestMemory, table: number, count: number): SeenDescriptor[] {
  return Array.from({ length: count }, (_, index) => {
    const { view, at } = viewOf(memory, table + 16 * index, 16)
    return describe(view, at, view.getUint16(at + 12, true))
  })
}

function describe (view: DataView, at: number, flags: number): SeenDescriptor {
  return { addr: Number(view.getBigUint64(at, true)), len: view.getUint32(at + 8, true), isWritable: (flags & 2) !== 0 }
}

/** A device at a split ring. */
export class DeviceSplitRing implements DeviceRing {
  readonly #memory: GuestMemory
  readonly #place: QueuePlace
  readonly #size: number
  #available = 0
  #used = 0

  constructor (memory: GuestMemory, place: QueuePlace, size: number) {
    this.#memory = memory
    this.#place = place
    this.#size = size
  }

  next (): SeenChain | undefined {
    const ring = viewOf(this.#memory, this.#place.driver, 4)
    if (ring.view.getUint16(ring.at + 2, true) === this.#available) return undefined
    const entry = viewOf(this.#memory, this.#place.driver + 4 + 2 * (this.#available % this.#size), 2)
    this.#available = (this.#available + 1) & 0xffff
    const id = entry.view.getUint16(entry.at, true)
    const descriptors: SeenDescriptor[] = []
    let ringCount = 0
    for (let index = id;;) {
      const { view, at } = viewOf(this.#memory, this.#place.descriptors + 16 * index, 16)
      const flags = view.getUint16(at + 12, true)
      ringCount++
      const seen = describe(view, at, flags)
      if ((flags & 4) !== 0) descriptors.push(...readTable(this.#memory, seen.addr, seen.len / 16))
      else descriptors.push(seen)
      if ((flags & 1) === 0) return { id, descriptors, ringCount }
      index = view.getUint16(at + 14, true)
    }
  }

  use (chains: readonly SeenChain[], written: number): void {
    const { view, at } = viewOf(this.#memory, this.#place.device + 4 + 8 * (this.#used % this.#size), 8)
    view.setUint32(at, chains.at(-1)!.id, true)
    view.setUint32(at + 4, written, true)
    this.#used = (this.#used + chains.length) & 0xffff
    const ring = viewOf(this.#memory, this.#place.device, 4)
    ring.view.setUint16(ring.at + 2, this.#used, true)
  }
}

/** A device at a packed ring. */
export class DevicePackedRing implements DeviceRing {
  readonly #memory: GuestMemory
  readonly #place: QueuePlace
  readonly #size: number
  #at = 0
  #wrap = true
  #used = 0
  #usedWrap = true

  constructor (memory: GuestMemory, place: QueuePlace, size: number) {
    this.#memory = memory
    this.#place = place
    this.#size = size
  }

  next (): SeenChain | undefined {
    const descriptors: SeenDescriptor[] = []
    for (let ringCount = 1;; ringCount++) {
      const { view, at } = viewOf(this.#memory, this.#place.descriptors + 16 * this.#at, 16)
      const flags = view.getUint16(at + 14, true)
      if (((flags & 0x80) !== 0) !== this.#wrap || ((flags & 0x8000) !== 0) === this.#wrap) return undefined
      if (++this.#at === this.#size) {
        this.#at = 0
        this.#wrap = !this.#wrap
      }
      const seen = describe(view, at, flags)
      if ((flags & 4) !== 0) descriptors.push(...this.#table(seen))
      else descriptors.push(seen)
      if ((flags & 1) === 0) return { id: view.getUint16(at + 12, true), descriptors, ringCount }
    }
  }

  use (chains: readonly SeenChain[], written: number): void {
    const { view, at } = viewOf(this.#memory, this.#place.descriptors + 16 * this.#used, 16)
    view.setUint32(at + 8, written, true)
    view.setUint16(at + 12, chains.at(-1)!.id, true)
    view.setUint16(at + 14, (written > 0 ? 2 : 0) | (this.#usedWrap ? 0x8080 : 0), true)
    this.#used += chains.reduce((sum, chain) => sum + chain.ringCount, 0)
    if (this.#used < this.#size) return
    this.#used -= this.#size
    this.#usedWrap = !this.#usedWrap
  }

  #table ({ addr, len }: SeenDescriptor): SeenDescriptor[] {
    return Array.from({ length: len / 16 }, (_, index) => {
      const { view, at } = viewOf(this.#memory, addr + 16 * index, 16)
      return describe(view, at, view.getUint16(at + 14, true))
    })
  }
}
