import { Errno, ProtocolError } from '@pcikit/core'
import { DEFAULT_CAPABILITIES, agree, answerCapabilities, parseCapabilities } from './capabilities.js'
import type { Agreement, OwnLimits } from './capabilities.js'
import { VersionLayout } from './layouts/version.js'
import type { Message } from './message.js'
import { PROTOCOL_MAJOR, PROTOCOL_MINOR } from './protocol.js'
import type { ReplyWriter } from './reply-writer.js'

/** The longest JSON that is looked at, in bytes. QEMU sends about 250. */
const JSON_BYTES_MAX = 16 << 10

/**
 * Answers a VERSION request, and gives what was agreed on. [vfio-user] "VFIO_USER_VERSION".
 * Throws ProtocolError EINVAL for a major version or version data that cannot be accepted.
 */
export function negotiate (message: Message, reply: ReplyWriter, own: OwnLimits): Agreement {
  const { view, position, byteLength } = message
  if (byteLength < VersionLayout.byteLength) {
    throw new ProtocolError(Errno.EINVAL, `VERSION has ${byteLength} bytes, and needs ${VersionLayout.byteLength}.`)
  }
  const major = VersionLayout.major.get(view, position)
  // "The major version in the reply must be the same as proposed."
  if (major !== PROTOCOL_MAJOR) {
    throw new ProtocolError(Errno.EINVAL, `The client speaks version ${major}.x; here it is ${PROTOCOL_MAJOR}.x.`)
  }
  const minor = Math.min(VersionLayout.minor.get(view, position), PROTOCOL_MINOR)
  const jsonBytes = byteLength - VersionLayout.byteLength
  const client = jsonBytes === 0 ? DEFAULT_CAPABILITIES : parseCapabilities(readJson(message, jsonBytes))
  const agreement = agree(client, own)
  // A client that sends no JSON has proposed nothing, so there is nothing to answer: the defaults hold for both sides.
  const json = jsonBytes === 0 ? '' : `${answerCapabilities(client, agreement, own, jsonBytes - 1)}\0`
  const at = reply.payload(VersionLayout.byteLength + json.length)
  VersionLayout.major.set(reply.view, at, PROTOCOL_MAJOR)
  VersionLayout.minor.set(reply.view, at, minor)
  for (let index = 0; index < json.length; index++) {
    reply.view.setUint8(at + VersionLayout.byteLength + index, json.charCodeAt(index))
  }
  return agreement
}

function readJson (message: Message, jsonBytes: number): string {
  const start = message.position + VersionLayout.byteLength
  if (jsonBytes > JSON_BYTES_MAX) {
    throw new ProtocolError(Errno.EINVAL, `The version data has ${jsonBytes} bytes, more than ${JSON_BYTES_MAX}.`)
  }
  if (message.view.getUint8(start + jsonBytes - 1) !== 0) {
    throw new ProtocolError(Errno.EINVAL, 'The version data does not end with a NUL.')
  }
  const bytes = new Uint8Array(message.view.buffer, message.view.byteOffset + start, jsonBytes - 1)
  return new TextDecoder().decode(bytes)
}
