import type { ChainFraming, DriverChain, RawDescriptor } from './descriptor.js'

/** Where the parts of a queue are. [virtio] "Virtqueues". */
export interface QueuePlace {
  /** Descriptor Area. */
  readonly descriptors: number
  /** Driver Area. */
  readonly driver: number
  /** Device Area. */
  readonly device: number
}

/** What a ring is built for. */
export interface RingOptions {
  readonly size: number
  readonly place: QueuePlace
  readonly hasEventIndex: boolean
  readonly isInOrder: boolean
}

/** A buffer that the device gave back. */
export interface UsedChain {
  /** What the ring called it. */
  readonly id: number
  /** Bytes that the device says it wrote, from the start of the writable part. */
  readonly written: number
  /** In order: the device gave it back with a later one, so that `written` is not told and all of it may be written. */
  readonly isSkipped: boolean
}

/** The driver's half of a ring, of either format. */
export interface DriverRing {
  readonly size: number
  readonly place: QueuePlace
  /** How many chains are with the device. */
  readonly pendingCount: number
  /** Whether a chain fits that takes so many descriptors of the ring. */
  hasRoom(descriptorCount: number): boolean
  /**
   * Writes a chain into the ring, right or wrong, unseen until {@link publish}. Returns its ID. Throws RangeError
   * without room.
   */
  addRaw(descriptors: readonly RawDescriptor[]): number
  /** Makes everything that was added available. */
  publish(): void
  /**
   * Whether the device wants to be told of what was published since the last call. [virtio] "Available Buffer
   * Notification Suppression", "Driver and Device Event Suppression".
   */
  wantsNotification(): boolean
  /** What a notification says of the ring: next_off and next_wrap, in 16 bits. */
  readonly notificationData: number
  /** The next buffer that was given back. Throws Error where the device broke the rules. */
  take(): UsedChain | undefined
  /** Asks for interrupts, at the next buffer that is given back, or for none. */
  allowInterrupts(allowed: boolean): void
}

/** How many descriptors of the ring a chain takes. */
export function ringDescriptorCount (descriptorCount: number, { indirect = false }: ChainFraming): number {
  if (indirect === false) return descriptorCount
  return (indirect === true ? 0 : Math.min(indirect, descriptorCount - 1)) + 1
}

/** Bytes of the writable part of a chain. */
export function writableBytes ({ writable }: DriverChain): number {
  return writable.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

/** Whether an index went past an event. [virtio] "Used Buffer Notification Suppression", vring_need_event. */
export function hasPassed (event: number, before: number, after: number): boolean {
  return ((after - event - 1) & 0xffff) < ((after - before) & 0xffff)
}
