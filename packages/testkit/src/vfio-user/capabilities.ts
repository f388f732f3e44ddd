import { Version } from './layouts.js'

/** What a side can do, as it says in VERSION. [vfio-user] "VFIO_USER_VERSION". */
export interface Capabilities {
  readonly max_msg_fds?: number
  readonly max_data_xfer_size?: number
  readonly max_dma_maps?: number
  readonly pgsizes?: number
  readonly twin_socket?: { readonly supported?: boolean, readonly fd_index?: number }
  readonly write_multiple?: boolean
  readonly migration?: Readonly<Record<string, unknown>>
}

/** What QEMU 11 proposes. */
export const qemuCapabilities: Capabilities = Object.freeze({
  max_msg_fds: 16,
  max_data_xfer_size: 1024 * 1024,
  pgsizes: 4096,
  max_dma_maps: 65535,
  write_multiple: true,
  migration: Object.freeze({ pgsize: 4096, max_bitmap_size: 256 * 1024 * 1024 })
})

/** A version and capabilities, as one side stated them. */
export interface NegotiatedVersion {
  readonly major: number
  readonly minor: number
  /** Undefined where the reply carried no JSON. */
  readonly capabilities: Capabilities | undefined
}

/** The payload of a VERSION message. Without capabilities it is four bytes, without JSON. */
export function encodeVersion (major: number, minor: number, capabilities: Capabilities | undefined): Uint8Array {
  const json = capabilities === undefined ? '' : `${JSON.stringify({ capabilities })}\0`
  const text = new TextEncoder().encode(json)
  const payload = new Uint8Array(Version.byteLength + text.length)
  const view = new DataView(payload.buffer)
  Version.major.set(view, 0, major)
  Version.minor.set(view, 0, minor)
  payload.set(text, Version.byteLength)
  return payload
}

/** Reads the payload of a VERSION message. Throws where its JSON has no end or is not an object. */
export function decodeVersion (payload: Uint8Array): NegotiatedVersion {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  if (payload.length < Version.byteLength) throw new RangeError('A VERSION message has at least four bytes.')
  const major = Version.major.get(view, 0)
  const minor = Version.minor.get(view, 0)
  if (payload.length === Version.byteLength) return { major, minor, capabilities: undefined }
  if (payload[payload.length - 1] !== 0) throw new RangeError('The JSON text of a VERSION message has no NUL.')
  const text = new TextDecoder('utf-8', { fatal: true }).decode(payload.subarray(Version.byteLength, -1))
  const data: unknown = JSON.parse(text)
  if (typeof data !== 'object' || data === null) throw new RangeError('The data of a VERSION message is no object.')
  return { major, minor, capabilities: (data as { capabilities?: Capabilities }).capabilities ?? {} }
}
