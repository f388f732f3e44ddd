import { createHash, randomBytes } from 'node:crypto'

/** Bytes of a UUID. */
const UUID_BYTES = 16

/** A serial number for a controller that was given none. */
export function randomSerial (): string {
  return `pcikit-${randomBytes(6).toString('hex')}`
}

/**
 * A UUID that follows from a name, so that a disk of a given serial number is known again. Version 8 (vendor specific),
 * as its hash is none of those that [RFC 9562] "UUID Version 5" and its like define.
 */
export function nameUuid (name: string): Uint8Array {
  const uuid = new Uint8Array(createHash('sha256').update(`pcikit ${name}`).digest().subarray(0, UUID_BYTES))
  uuid[6] = (uuid[6]! & 0x0f) | 0x80
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  return uuid
}

/** The usual form of a UUID. */
export function uuidText (uuid: Uint8Array): string {
  const hex = Buffer.from(uuid).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** A number for the Device Serial Number capability, which wants 64 bits. */
export function serialNumber64 (serial: string): bigint {
  return new DataView(nameUuid(`${serial}/function`).buffer).getBigUint64(0, true)
}
