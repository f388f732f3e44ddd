/**
 * A queue that is kept full at the least possible cost. Commands are known by numbers from 0 to below its depth, of
 * which each has a buffer. Nothing is allocated for a command.
 */
export interface PolledQueue {
  readonly depth: number
  /** How many transfers, one beside the other, the part of the disk has that is used. */
  readonly transferCount: number
  /** Commands that ended with another status than success. */
  readonly failureCount: number
  /** Writes a command into the ring. It is seen at the next {@link submit}. */
  add(command: number, isRead: boolean, transfer: number): void
  /** Tells the device about what was added. */
  submit(): void
  /** The next command that is back, or -1. */
  take(): number
  /** Tells the device about what was taken. */
  taken(): void
  /** Sets every byte of all buffers. */
  fillBuffers(value: number): void
  /** Gives the queue back. */
  close(): Promise<void>
}
