import type { Capability } from '../capability.js'

/**
 * The serial number of the device, an EUI-64 in one number. An extended capability.
 * [PCIe] "Device Serial Number Extended Capability".
 */
export function deviceSerialNumber (eui64: bigint): Capability {
  return {
    name: 'SERIAL',
    id: 0x0003,
    version: 1,
    byteLength: 12,
    registers: {
      LOWER: { offset: 0x04, reset: Number(BigInt.asUintN(32, eui64)) },
      UPPER: { offset: 0x08, reset: Number(BigInt.asUintN(32, eui64 >> 32n)) }
    }
  }
}
