import type { DmaFault, DmaLease, DmaPeek } from '@pcikit/core'

/**
 * The device-readable or the device-writable bytes of a chain, as one run of bytes however the driver cut them into
 * descriptors. It knows addresses, and holds no memory until `open`: a buffer can wait for hours (a receive queue), and
 * its memory may move meanwhile.
 */
export interface ChainPart {
  /** Bytes in all its descriptors together. */
  readonly byteLength: number
  /** What `open` made reachable: hand it to a back end. */
  readonly lease: DmaLease
  /**
   * Opens `lease` over `byteLength` bytes from `offset` on, for reading a readable part or for writing a writable one.
   * Completing the chain closes it. A fault is the first one met; the lease is open all the same. Asking for more than
   * there is, or twice without `lease.close()`, is a programming error and throws.
   */
  open(offset: number, byteLength: number): DmaFault
  /**
   * Takes `lease`, which is open, away from the chain, so that the chain can be completed while a back end still holds
   * what was revoked: see `VirtqueueChain.onRevoke`. Whoever called it closes the lease, once the back end is done.
   * The part has another from now on.
   */
  detach(): DmaLease
  /**
   * For a header or a status: finds bytes that are in one piece of shared memory, until it is called again, and until
   * the device returns to the event loop. Undefined means nothing: `read` or `write` them.
   */
  locate(offset: number, byteLength: number): DmaPeek | undefined
  /** Copies bytes from `offset` of a readable part. Answers at once for mapped memory. */
  read(offset: number, target: Uint8Array): DmaFault | Promise<DmaFault>
  /** Copies bytes to `offset` of a writable part. Answers at once for mapped memory. */
  write(offset: number, source: Uint8Array): DmaFault | Promise<DmaFault>
}

/**
 * One buffer that the driver made available: a chain of descriptors, read once into a record of ours and validated.
 * Records are recycled. Each must be completed exactly once, in any order, at once or later.
 */
export interface VirtqueueChain {
  /** The queue it came from. */
  readonly queueIndex: number
  /** Which of the queue's records this is, from 0 on: a place for what a device keeps for each chain. */
  readonly slot: number
  /** What the driver wrote for the device. It comes before the writable part. */
  readonly readable: ChainPart
  /** Where the device writes for the driver. */
  readonly writable: ChainPart
  /**
   * False once its queue was reset. Nothing reaches guest memory any more (opening faults with REVOKED), the driver is
   * told nothing, and the chain still has to be completed.
   */
  readonly isLive: boolean
  /**
   * Called when a lease of the chain was revoked while it was open: see `DmaLease.onRevoke`. Set it in `take` and it
   * stays with the record.
   */
  onRevoke: (() => void) | undefined
  /**
   * Gives the buffer back to the driver: closes what is open, writes the used element, and interrupts the driver where
   * it asked for that, once for all chains of a turn.
   *
   * @param written bytes of the writable part, from its start, that the device wrote or may have written
   */
  complete(written: number): void
}
