import type { UnixSocket } from '@pcikit/native'
import { WOULD_BLOCK } from '@pcikit/native'
import { readdirSync } from 'node:fs'

/** A message: header at 0 to 16, then the payload. */
export function message (
  command: number,
  payload: readonly number[] = [],
  { id = 1, flags = 0, size = 16 + payload.length } = {}
): Uint8Array {
  const bytes = new Uint8Array(16 + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, id, true)
  view.setUint16(2, command, true)
  view.setUint32(4, size, true)
  view.setUint32(8, flags, true)
  bytes.set(payload, 16)
  return bytes
}

/** 32-bit words, least significant byte first. */
export function words (...values: readonly number[]): number[] {
  return values.flatMap(value => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24])
}

export function join (...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The next turn of the event loop, in which readiness is told. */
export function turn (): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}

/** Everything that is in a socket now. */
export function drain (socket: UnixSocket, descriptors?: number[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (;;) {
    const part = new Uint8Array(1 << 16)
    const received = socket.receive(part, 0, part.length, descriptors)
    if (received <= 0) {
      if (received !== WOULD_BLOCK && received !== 0) throw new Error(`Receiving failed with errno ${-received}`)
      return join(...parts)
    }
    parts.push(part.subarray(0, received))
  }
}

/** How many descriptors this process has open. */
export function descriptorCount (): number {
  return readdirSync('/proc/self/fd').length
}
