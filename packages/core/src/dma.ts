import type { Subscription } from './subscription.js'

/** What a device does with guest memory, as the device sees it: READ takes data from the guest, WRITE gives it some. */
export const DmaAccess = Object.freeze({ READ: 1, WRITE: 2, READ_WRITE: 3 } as const)
export type DmaAccess = (typeof DmaAccess)[keyof typeof DmaAccess]

/**
 * Why a DMA transaction did not happen. Faults are values, never exceptions: a guest may program any address.
 *
 * - UNMAPPED: no region covers a part of the range.
 * - NOT_READABLE, NOT_WRITABLE: the region does not allow this access.
 * - BUS_MASTER_OFF: the function's Bus Master Enable bit is clear.
 * - PAST_END_OF_FILE: the client's file is shorter than the region it was mapped for.
 * - REVOKED: the memory went away while the lease was open.
 * - PEER_FAILED: the memory is reached by message, and the client answered with an error or not at all.
 * - OUT_OF_RANGE: the range does not lie below 2^53, the end of the addresses handled here.
 */
export const DmaFault = Object.freeze(
  {
    NONE: 0,
    UNMAPPED: 1,
    NOT_READABLE: 2,
    NOT_WRITABLE: 3,
    BUS_MASTER_OFF: 4,
    PAST_END_OF_FILE: 5,
    REVOKED: 6,
    PEER_FAILED: 7,
    OUT_OF_RANGE: 8
  } as const
)
export type DmaFault = (typeof DmaFault)[keyof typeof DmaFault]

/**
 * Memory in pieces, without an allocation for each piece. Piece `i` is `lengthAt(i)` bytes at `offsetAt(i)` of
 * `bytesAt(i)`, a long-lived array over a whole mapping: never index it outside of the piece.
 */
export interface SegmentList {
  /** Bytes in all pieces together. */
  readonly byteLength: number
  readonly segmentCount: number
  bytesAt(index: number): Uint8Array
  offsetAt(index: number): number
  lengthAt(index: number): number
}

/**
 * Guest memory held for one command. A device makes one for each command it can have in flight and uses it again and
 * again: `open`, `append` for each address of the command, `fetch` before it reads, `commit` after it wrote, `close`.
 * While it is open, an unmap of its memory waits for `close`, for as long as the manager's deadline; then the pages are
 * replaced and the lease is revoked. All in between may be asynchronous.
 *
 * Closed leases hold nothing. Not closing exactly once for each `open` is a programming error and throws.
 */
export interface DmaLease extends SegmentList {
  /** The access given to `open`. */
  readonly access: DmaAccess
  readonly isOpen: boolean
  /** The first fault since `open`, REVOKED included; NONE while all is well. */
  readonly fault: DmaFault
  /** The guest address at which `fault` happened. Only meaningful when there is one. */
  readonly faultIova: number
  /**
   * Called when the lease was revoked and none of its memory can be reached through its pieces any more, whoever still
   * holds them: a device can end the command at once, before whoever works on it answers. The lease stays open. Called
   * once for an opening at most, before the unmap or drain that revoked it resolves. Where a part of the memory is
   * still there and others work on it too, the call waits for them, or does not come. Set it once; must not throw.
   */
  onRevoke: (() => void) | undefined

  /** Starts an empty lease for one kind of access. A device that only reads must not ask for more than READ. */
  open(access: DmaAccess): void
  /** Adds `[iova, iova + byteLength)`, in one or more pieces. After a fault the lease stays open, without the range. */
  append(iova: number, byteLength: number): DmaFault
  /**
   * Makes the contents of the pieces those of guest memory. Answers at once for mapped memory; a promise means that
   * the client is asked for them by message. Call it before reading from the pieces.
   */
  fetch(): DmaFault | Promise<DmaFault>
  /**
   * Makes guest memory the contents of the pieces and tells whether all of the command's transfers took place. Call it
   * once after the last access, reads too: REVOKED means that what was read or written is void.
   */
  commit(): DmaFault | Promise<DmaFault>
  /** Lets the memory go. */
  close(): void
}

/**
 * A fixed range of guest addresses that a device looks at again and again: a ring, shadow doorbells. It pins nothing.
 * Each `locate` finds the memory that is there now, at the cost of a comparison while nothing changed, so a window
 * survives any number of unmaps and maps. What it returned is valid until the device returns to the event loop.
 */
export interface DmaWindow {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  /**
   * Finds `length` bytes at `offset` of the window. True: they are at `position` of `view` and `bytes`, and at
   * `position >>> 2` of `words` when aligned. False: see `fault`; where that is NONE the bytes are in more than one
   * piece or are not shared by the client, and {@link DmaSpace.read} and {@link DmaSpace.write} reach them.
   */
  locate(offset: number, length: number): boolean
  readonly view: DataView
  readonly bytes: Uint8Array
  /** The same memory in words, for `Atomics`. */
  readonly words: Uint32Array
  readonly position: number
  /** How many bytes from `position` on are in one piece of the window. */
  readonly run: number
  readonly fault: DmaFault
  /** Forgets the range. */
  close(): void
}

/**
 * Looks at small structures that are each somewhere else: a table of descriptors, a header, a status byte. It pins
 * nothing. What it found is valid until it looks again, and until the device returns to the event loop.
 */
export interface DmaPeek {
  /**
   * Finds a range that is in one piece of memory that the client shares, at the latest once it was copied. False says
   * nothing: {@link DmaSpace.read} and {@link DmaSpace.write} reach the range, or say why not.
   */
  locate(iova: number, byteLength: number, access: DmaAccess): boolean
  /** The memory that was found. */
  readonly view: DataView
  /** The same memory. */
  readonly bytes: Uint8Array
  /** Where the range begins in it. */
  readonly position: number
  /**
   * After data went through what was found last: NONE where it all went. PAST_END_OF_FILE where the client's file has
   * become shorter, so that what was read or written may be void.
   */
  commit(): DmaFault
}

/** Called with the range of guest addresses that came or went. Must not throw. */
export type DmaListener = (iova: number, byteLength: number) => void

/** Guest memory as a device sees it: by IOVA, at any moment as the IOMMU in front of the device has it. */
export interface DmaSpace {
  /** Whether the function's Bus Master Enable bit is set. While it is clear nothing can be reached. */
  readonly isBusMaster: boolean
  /** Makes a closed lease. For each command slot once, not for each command. */
  createLease(): DmaLease
  openWindow(iova: number, byteLength: number, access: DmaAccess): DmaWindow
  /** Where there is none, small structures are copied like everything else. */
  createPeek?(): DmaPeek
  /** Copies guest memory into `target`. Answers at once for mapped memory. */
  read(iova: number, target: Uint8Array): DmaFault | Promise<DmaFault>
  /** Copies `source` into guest memory. Answers at once for mapped memory. */
  write(iova: number, source: Uint8Array): DmaFault | Promise<DmaFault>
  /**
   * Memory came, or bus mastering was switched on (then for the whole space). Queues that waited look again.
   * Called before the client gets its answer: mark what has to be done and do it later.
   */
  onMap(listener: DmaListener): Subscription
  /** Memory went, or bus mastering was switched off. The range faults already; drop what was derived from it. */
  onUnmap(listener: DmaListener): Subscription
  /** Resolves when every open lease is closed or, past the manager's deadline, revoked: no transfer can follow. */
  drain(): Promise<void>
}

/** A range of guest addresses and the memory behind it, as a client offers it. [vfio-user] "VFIO_USER_DMA_MAP". */
export interface DmaRegion {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  /** The file that holds the memory, owned by the manager from now on, even if it refuses. Undefined: by message. */
  readonly descriptor?: number
  /** Where in the file the region starts, in bytes. */
  readonly fileOffset: number
}

/** Reaches memory that the client does not share, by asking the client. [vfio-user] "VFIO_USER_DMA_READ". */
export interface DmaPort {
  /** The most bytes of one request. Longer transfers are cut by the caller. */
  readonly transferBytesMax: number
  /** Rejects when the client refuses, goes, or does not answer in time. */
  read(iova: number, target: Uint8Array): Promise<void>
  write(iova: number, source: Uint8Array): Promise<void>
}

/** The DMA manager of one device: the device's side ({@link DmaSpace}) and the client's. */
export interface DmaManager extends DmaSpace {
  readonly regionCount: number
  /** Adds a region. Throws ProtocolError: EEXIST where it overlaps one, EINVAL for a bad range, ENOSPC when full. */
  map(region: DmaRegion): void
  /**
   * Removes every region inside the range, none too. Resolves when nothing of them is left in this process: no
   * mapping, descriptor, or transfer in flight. Throws ProtocolError EINVAL, with nothing changed, where the range cuts
   * a region in two.
   *
   * @returns how many regions were removed
   */
  unmap(iova: number, byteLength: number): Promise<number>
  unmapAll(): Promise<number>
  /** Opens or closes the way to memory as a whole. The regions stay. */
  setBusMaster(enabled: boolean): void
  /** Sets how memory without a descriptor is reached. Undefined when the client is gone. */
  setPort(port: DmaPort | undefined): void
  /** Removes everything. The manager cannot be used afterwards. */
  close(): Promise<void>
}
