import { Errno, ProtocolError } from '@pcikit/core'
import { DEFAULT_DESCRIPTORS, DEFAULT_TRANSFER_BYTES, DMA_MAPS_MAX } from './protocol.js'

/** The most descriptors that a client may say it takes. libvfio-user has the same bound. */
const CLIENT_DESCRIPTORS_MAX = 1024

/** The smallest page that the memory of a client is counted in. */
const PAGE_BYTES = 4096

/** What this side can do, whoever asks. */
export interface OwnLimits {
  readonly descriptorsMax: number
  readonly transferBytesMax: number
}

/** What a client proposes, with the protocol's defaults where it states nothing. */
export interface ClientCapabilities {
  /** The capabilities that were named, as they were named. Others must not be in the answer. */
  readonly named: ReadonlySet<string>
  readonly descriptorsMax: number
  readonly transferBytesMax: number
  readonly dmaMapsMax: number
  readonly pageSizes: number
  readonly twinSocket: boolean
  readonly writeMultiple: boolean
}

/** What is in force for one connection. */
export interface Agreement {
  /** How many descriptors the client takes in one message. */
  readonly clientDescriptorsMax: number
  /** The most bytes of one region access, and of one DMA_READ or DMA_WRITE. */
  readonly transferBytesMax: number
  readonly twinSocket: boolean
  readonly writeMultiple: boolean
}

/** What a client means that sends no JSON. [vfio-user] "VFIO_USER_VERSION". */
export const DEFAULT_CAPABILITIES: ClientCapabilities = Object.freeze({
  named: new Set<string>(),
  descriptorsMax: DEFAULT_DESCRIPTORS,
  transferBytesMax: DEFAULT_TRANSFER_BYTES,
  dmaMapsMax: DMA_MAPS_MAX,
  pageSizes: PAGE_BYTES,
  twinSocket: false,
  writeMultiple: false
})

/** Reads the JSON of a VERSION request. Throws ProtocolError EINVAL for what is not as the specification has it. */
export function parseCapabilities (json: string): ClientCapabilities {
  const root = asObject(parseJson(json), 'The version data')
  if (root['capabilities'] === undefined) return DEFAULT_CAPABILITIES
  const given = asObject(root['capabilities'], 'capabilities')
  const twinSocket = asObject(given['twin_socket'] ?? {}, 'twin_socket')
  const migration = asObject(given['migration'] ?? {}, 'migration')
  count(migration, 'pgsize', PAGE_BYTES, 1)
  return {
    named: new Set(Object.keys(given)),
    descriptorsMax: count(given, 'max_msg_fds', DEFAULT_DESCRIPTORS, 0, CLIENT_DESCRIPTORS_MAX),
    transferBytesMax: count(given, 'max_data_xfer_size', DEFAULT_TRANSFER_BYTES, 1),
    dmaMapsMax: count(given, 'max_dma_maps', DMA_MAPS_MAX, 1),
    pageSizes: pageSizes(given),
    twinSocket: flag(twinSocket, 'supported'),
    writeMultiple: flag(given, 'write_multiple')
  }
}

/** What comes of a client's capabilities and ours: a subset of those proposed. */
export function agree (client: ClientCapabilities, own: OwnLimits): Agreement {
  return {
    clientDescriptorsMax: client.descriptorsMax,
    transferBytesMax: Math.min(client.transferBytesMax, own.transferBytesMax),
    twinSocket: client.twinSocket && client.descriptorsMax > 0,
    writeMultiple: client.writeMultiple
  }
}

/**
 * The JSON that answers a client: only what it named itself, and no longer than its own text, because QEMU refuses a
 * reply that is longer than its request. Less important parts are left out where it would be.
 */
export function answerCapabilities (
  client: ClientCapabilities,
  agreement: Agreement,
  own: OwnLimits,
  jsonBytesMax: number
): string {
  const answers: Readonly<Record<string, unknown>> = {
    max_msg_fds: own.descriptorsMax,
    max_data_xfer_size: agreement.transferBytesMax,
    write_multiple: agreement.writeMultiple,
    twin_socket: agreement.twinSocket ? { supported: true, fd_index: 0 } : { supported: false },
    max_dma_maps: Math.min(client.dmaMapsMax, DMA_MAPS_MAX),
    pgsizes: client.pageSizes
  }
  const names = Object.keys(answers).filter(name => client.named.has(name))
  for (;;) {
    const capabilities = Object.fromEntries(names.map(name => [name, answers[name]]))
    const json = JSON.stringify(names.length === 0 ? {} : { capabilities })
    // A client that proposes a twin socket must expect the index of its descriptor, which its own text does not have.
    if (json.length <= jsonBytesMax || names.length === 0 || agreement.twinSocket) return json
    names.pop()
  }
}

function parseJson (json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new ProtocolError(Errno.EINVAL, 'The version data is not JSON.', { cause: error })
  }
}

function asObject (value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ProtocolError(Errno.EINVAL, `${name} must be an object.`)
  }
  return value as Readonly<Record<string, unknown>>
}

function count (
  from: Readonly<Record<string, unknown>>,
  name: string,
  otherwise: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER
): number {
  const value = from[name]
  if (value === undefined) return otherwise
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new ProtocolError(Errno.EINVAL, `${name} must be a whole number between ${min} and ${max}.`)
  }
  return value
}

function flag (from: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = from[name] ?? false
  if (typeof value !== 'boolean') throw new ProtocolError(Errno.EINVAL, `${name} must be true or false.`)
  return value
}

/** Sizes of pages, or'ed together: 64 bits, which a double may not hold exactly. Only whole pages count. */
function pageSizes (from: Readonly<Record<string, unknown>>): number {
  const value = from['pgsizes']
  if (value === undefined) return PAGE_BYTES
  if (typeof value !== 'number' || !Number.isInteger(value) || value < PAGE_BYTES || value >= 2 ** 64) {
    throw new ProtocolError(
      Errno.EINVAL,
      `pgsizes must be a whole number that has pages of ${PAGE_BYTES} bytes or more.`
    )
  }
  return value - (value % PAGE_BYTES)
}
