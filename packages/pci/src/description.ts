import type { BusMasterSwitch, DmaSpace, Logger, Recorder, RegionIoEvent, RegionMemory } from '@pcikit/core'
import type { Capability } from './capability.js'

/** Who the function says it is. [PCIe] "Type 0/1 Common Configuration Space". */
export interface PciIdentity {
  readonly vendorId: number
  readonly deviceId: number
  readonly revisionId?: number
  /** Base class, sub-class and programming interface in 24 bits: 0x010802 is an NVMe controller. */
  readonly classCode: number
  /** The same as `vendorId` where not given. */
  readonly subsystemVendorId?: number
  /** The same as `deviceId` where not given. */
  readonly subsystemId?: number
}

/** The width of one access to a BAR, in bytes. */
export type AccessSize = 1 | 2 | 4

/**
 * The device's side of a BAR. Accesses are naturally aligned and at most 4 bytes wide: wider ones arrive in ascending
 * parts of 4 bytes, unaligned ones in the largest parts that are aligned. `words` makes one of a register bank.
 */
export interface BarHandler {
  /** Answers at once; values are unsigned. */
  read(offset: number, size: AccessSize): number
  /** A promise delays the answer to the client, and with it everything the client sends after. */
  write(offset: number, size: AccessSize, value: number): void | Promise<void>
}

/** What a BAR maps: memory below 4 GiB, memory anywhere, or I/O ports. */
export type BarKind = 'memory32' | 'memory64' | 'io'

/** One base address register and what is behind it. */
export interface BarDescription {
  /** 0 to 5. A 64-bit BAR takes the next index too. */
  readonly index: number
  /** A power of two: at least 128 for memory, 4 to 256 for I/O. */
  readonly byteLength: number
  readonly kind: BarKind
  /** Whether reads have no side effects and writes may be merged. Memory only. */
  readonly prefetchable?: boolean
  /** What reads and writes reach. Without one everything but an MSI-X table in it reads as zero. */
  readonly handler?: BarHandler
  /** Memory that the client may map. Keeping handler and memory the same is up to the device. */
  readonly memory?: RegionMemory
  /** Eventfds that the client may signal instead of writing. */
  readonly ioEvents?: readonly RegionIoEvent[]
}

/** Message signalled interrupts. [PCIe] "MSI Capability Structure". Always with 64-bit addresses. */
export interface MsiDescription {
  /** 1, 2, 4, 8, 16 or 32. */
  readonly vectors: number
  /** Per-vector masking, with mask and pending bits. True where not given. */
  readonly maskable?: boolean
}

/** [PCIe] "MSI-X Capability and Table Structure". Table and PBA are carved out of the BARs named here. */
export interface MsixDescription {
  /** 1 to 2048. */
  readonly vectors: number
  /** A memory BAR; it may have a handler for the rest. */
  readonly tableBar: number
  /** In bytes, a multiple of 8. 16 bytes for each vector. */
  readonly tableOffset: number
  /** The table's BAR where not given. */
  readonly pbaBar?: number
  /** In bytes, a multiple of 8. Right after the table where not given. */
  readonly pbaOffset?: number
}

/** Which kinds of interrupt the function has. */
export interface InterruptDescription {
  /** 1 to 4 for INTA to INTD. */
  readonly intxPin?: 1 | 2 | 3 | 4
  readonly msi?: MsiDescription
  readonly msix?: MsixDescription
}

/** A PCI function as its author declares it. */
export interface PciDescription {
  readonly identity: PciIdentity
  readonly bars?: readonly BarDescription[]
  /** The contents of the expansion ROM. */
  readonly rom?: Uint8Array
  readonly interrupts?: InterruptDescription
  /** Capabilities besides MSI and MSI-X, in the order of the list. */
  readonly capabilities?: readonly Capability[]
  /** Capabilities from 100h on. They need a PCI Express capability. */
  readonly extendedCapabilities?: readonly Capability[]
}

/** Why a function was reset: a message of the client, FLR, D3hot to D0, or the device itself. */
export type ResetCause = 'client' | 'flr' | 'power' | 'device'

/** Power states that a function can be in. [PCIe] "PCI Power Management Capability Structure". */
export type PowerState = 'D0' | 'D3hot'

/** What a function needs of its surroundings. */
export interface PciServices {
  /** Waited for before a reset, D3hot or Bus Master Enable off is acknowledged. */
  readonly dma: Pick<DmaSpace, 'drain'>
  readonly busMaster: BusMasterSwitch
  readonly recorder: Recorder
  readonly logger: Logger
  /**
   * Puts the device in the state of power-on and stops its work. Nothing can be reached and no interrupt leaves from
   * before the call until after it resolved.
   */
  onReset(cause: ResetCause): void | Promise<void>
  /** Told of D3hot, where no memory is reachable and BARs do not answer, and of D0 again. */
  onPowerState?(state: PowerState): void
}
