import type { DmaAccess, DmaFault } from './dma.js'

/**
 * Something that changed what a device can reach, or that went wrong on the way. Addresses and lengths are in bytes.
 * One event for each region that came or went, in the order in which it happened.
 */
export type RecordEvent =
  | {
    readonly type: 'map'
    readonly iova: number
    readonly byteLength: number
    readonly access: DmaAccess
    /** Offset in the file that the client shared; undefined when it shared none. */
    readonly fileOffset?: number
  }
  | { readonly type: 'unmap', readonly iova: number, readonly byteLength: number, readonly durationMs: number }
  | { readonly type: 'bus-master', readonly enabled: boolean }
  | { readonly type: 'reset', readonly cause: 'client' | 'flr' | 'power' | 'device' }
  | { readonly type: 'power', readonly state: 'D0' | 'D3hot' }
  | { readonly type: 'interrupts', readonly index: number, readonly start: number, readonly count: number }
  | {
    readonly type: 'fault'
    readonly iova: number
    readonly byteLength: number
    readonly access: DmaAccess
    readonly fault: DmaFault
  }
  | { readonly type: 'client', readonly connected: boolean }
  /** The code of the device was exchanged. */
  | { readonly type: 'swap', readonly state: 'carried' | 'reset', readonly durationMs: number }

/** Keeps the record that answers "what removed that region?". */
export interface Recorder {
  /** Takes an event down with the time and the next number of the order. Must not throw, must not block. */
  record(event: RecordEvent): void
}

/** A recorder that keeps nothing. */
export const silentRecorder: Recorder = Object.freeze({ record: () => undefined })
