import type { GuestMemory } from '../guest/guest-memory.js'
import { DescriptorFlag, DESCRIPTOR_BYTES, PackedDescriptor, SplitDescriptor } from './layouts.js'

/** A run of bytes in guest memory. */
export interface GuestBuffer {
  readonly iova: number
  readonly byteLength: number
}

/** A buffer as a driver offers it: what the device reads, then what it writes. */
export interface DriverChain {
  readonly readable: readonly GuestBuffer[]
  readonly writable: readonly GuestBuffer[]
}

/** How a chain is put into descriptors. */
export interface ChainFraming {
  /**
   * `true`: all descriptors are in an indirect table. A number: so many are in the ring, and the others in a table,
   * which split rings can do. [virtio] "Indirect Descriptors".
   */
  readonly indirect?: boolean | number
  /**
   * Cuts the readable and the writable bytes into descriptors of these lengths, again and again, wherever their
   * buffers begin and end besides.
   */
  readonly cut?: readonly number[]
}

/** A descriptor as it is to be written; `flags` without NEXT, AVAIL and USED, which the ring adds. */
export interface PlainDescriptor {
  readonly addr: number
  readonly len: number
  readonly flags: number
}

/** The descriptors of a chain, in order. */
export function describeChain (chain: DriverChain, cut?: readonly number[]): PlainDescriptor[] {
  return [
    ...cutBuffers(chain.readable, cut).map(({ iova, byteLength }) => ({ addr: iova, len: byteLength, flags: 0 })),
    ...cutBuffers(chain.writable, cut).map(({ iova, byteLength }) => ({
      addr: iova,
      len: byteLength,
      flags: DescriptorFlag.WRITE
    }))
  ]
}

/** Cuts buffers into pieces of the lengths given, in turn. */
export function cutBuffers (buffers: readonly GuestBuffer[], lengths: readonly number[] = []): GuestBuffer[] {
  if (lengths.length === 0) return [...buffers]
  if (lengths.some(length => length <= 0)) throw new RangeError('A piece of a buffer has at least one byte.')
  const pieces: GuestBuffer[] = []
  for (const { iova, byteLength } of buffers) {
    for (let at = 0; at < byteLength;) {
      const count = Math.min(byteLength - at, lengths[pieces.length % lengths.length]!)
      pieces.push({ iova: iova + at, byteLength: count })
      at += count
    }
  }
  return pieces
}

/** A descriptor for tests that break rules: nothing is added to its flags, and it may lead anywhere. */
export interface RawDescriptor extends PlainDescriptor {
  /**
   * Split rings only. Which of the chain's descriptors is next, by its position among them; a number that none of them
   * has is written as it is. The one after it, unless given.
   */
  readonly next?: number
}

/** The descriptors of a chain, each but the last with a link to the next. */
export function linkDescriptors (descriptors: readonly PlainDescriptor[]): RawDescriptor[] {
  const last = descriptors.length - 1
  return descriptors.map(({ addr, len, flags }, position) => ({
    addr,
    len,
    flags: position === last ? flags : flags | DescriptorFlag.NEXT
  }))
}

/** All fields of a split descriptor. */
export interface SplitFields extends PlainDescriptor {
  readonly next: number
}

/** All fields of a packed descriptor. */
export interface PackedFields extends PlainDescriptor {
  readonly id: number
}

/** Stores a split descriptor. */
export function storeSplit (memory: GuestMemory, iova: number, fields: SplitFields): void {
  const bytes = new Uint8Array(DESCRIPTOR_BYTES)
  const view = new DataView(bytes.buffer)
  SplitDescriptor.addr.set(view, 0, fields.addr)
  SplitDescriptor.len.set(view, 0, fields.len)
  SplitDescriptor.flags.set(view, 0, fields.flags)
  SplitDescriptor.next.set(view, 0, fields.next)
  memory.store(iova, bytes)
}

/** Stores address and length of a packed descriptor, and returns the word of ID and flags that makes it complete. */
export function storePacked (memory: GuestMemory, iova: number, fields: PackedFields): number {
  const bytes = new Uint8Array(PackedDescriptor.id.offset)
  const view = new DataView(bytes.buffer)
  PackedDescriptor.addr.set(view, 0, fields.addr)
  PackedDescriptor.len.set(view, 0, fields.len)
  memory.store(iova, bytes)
  return (fields.id | fields.flags << 16) >>> 0
}
