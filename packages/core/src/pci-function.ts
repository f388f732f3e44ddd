import type { DeviceState } from './device.js'
import type { InterruptLines } from './interrupts.js'

/** The regions of a PCI function, as VFIO numbers them. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_INFO". */
export const RegionIndex = Object.freeze(
  { BAR0: 0, BAR1: 1, BAR2: 2, BAR3: 3, BAR4: 4, BAR5: 5, ROM: 6, CONFIG: 7, VGA: 8 } as const
)
export type RegionIndex = (typeof RegionIndex)[keyof typeof RegionIndex]

/** How many regions a PCI function has; the ones it does not implement have size 0. */
export const REGION_COUNT = 9

/** A part of a region that a client may map. Offset and length are multiples of 4 KiB. */
export interface MappableArea {
  readonly offset: number
  readonly byteLength: number
}

/** Memory that the client may map instead of sending messages. */
export interface RegionMemory {
  /** A file owned by the device; the transport sends duplicates of it. */
  readonly descriptor: number
  /** Where in the file the region's first byte would be. */
  readonly fileOffset: number
  /** The parts that may be mapped: none given means the whole region. In ascending order, apart from each other. */
  readonly areas: readonly MappableArea[]
}

/** An eventfd that a client may signal instead of sending a write. [vfio-user] "VFIO_USER_DEVICE_GET_REGION_IO_FDS". */
export interface RegionIoEvent {
  readonly offset: number
  readonly byteLength: number
  readonly descriptor: number
  /** The value that a write must have to count, or undefined for any. */
  readonly dataMatch?: bigint
}

/** What a client learns about a region. */
export interface RegionInfo {
  readonly index: RegionIndex
  /** 0 where the function does not have this region. */
  readonly byteLength: number
  readonly readable: boolean
  readonly writable: boolean
  readonly memory?: RegionMemory
  readonly ioEvents?: readonly RegionIoEvent[]
}

/**
 * A PCI function: what a device is to the outside. `@pcikit/pci` makes one of a description; a device may also bring
 * its own.
 *
 * Accesses are checked against the region's size before they get here. They never throw for what a guest may do: reads
 * of nothing give zeroes or ones, writes to nothing vanish. The caller passes its own buffer and a position in it; a
 * function must not keep it. A promise delays the answer to the client, and with it everything the client sends after.
 */
export interface PciFunction {
  readonly interrupts: InterruptLines
  region(index: RegionIndex): RegionInfo
  /** Puts `count` bytes from `offset` of the region at `position` of `target`. */
  readRegion(
    index: RegionIndex,
    offset: number,
    target: DataView,
    position: number,
    count: number
  ): void | Promise<void>
  /** Takes `count` bytes at `position` of `source` as written to `offset` of the region. */
  writeRegion(
    index: RegionIndex,
    offset: number,
    source: DataView,
    position: number,
    count: number
  ): void | Promise<void>
  /** Puts the function in the state of power-on. Done (or resolved) only when no DMA can follow. */
  reset(): void | Promise<void>
  /**
   * Tells what the function keeps apart from its device: configuration space, interrupts that are pending or masked,
   * power state. Triggers are the client's and no part of it.
   */
  save?(): DeviceState
  /** Takes over what a function saved, without resetting the device. Called once at most, before any access. */
  restore?(state: DeviceState): void
}
