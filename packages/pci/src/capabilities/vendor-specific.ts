import type { RegisterSpec } from '@pcikit/wire'
import type { Capability } from '../capability.js'

/** What {@link vendorSpecific} takes besides the contents. */
export interface VendorSpecificOptions {
  /** Its name in the configuration space; needed where a function has several. 'VENDOR' where not given. */
  readonly name?: string
  /** Bits the driver may change: one mask byte for each byte of the contents. All read-only where not given. */
  readonly writable?: Uint8Array
}

/** The bytes before the contents: ID, pointer and length. */
const HEADER_BYTES = 3

/**
 * Bytes of the vendor's own, which start at byte 3 of the capability. [PCIe] "Vendor-Specific Capability".
 * Its registers are `<name>.WORD_<offset in bytes>`, word 0 included.
 */
export function vendorSpecific (contents: Uint8Array, options: VendorSpecificOptions = {}): Capability {
  const byteLength = HEADER_BYTES + contents.length
  const padded = (byteLength + 3) & ~3
  const values = new DataView(new ArrayBuffer(padded))
  const masks = new DataView(new ArrayBuffer(padded))
  values.setUint8(2, byteLength)
  new Uint8Array(values.buffer).set(contents, HEADER_BYTES)
  new Uint8Array(masks.buffer).set(options.writable?.subarray(0, contents.length) ?? [], HEADER_BYTES)
  const registers: Record<string, RegisterSpec> = {}
  for (let offset = 0; offset < padded; offset += 4) {
    registers[`WORD_${offset}`] = {
      offset,
      reset: values.getUint32(offset, true),
      writable: masks.getUint32(offset, true)
    }
  }
  return { name: options.name ?? 'VENDOR', id: 0x09, byteLength, registers }
}
