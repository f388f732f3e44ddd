import { assert, defineExtensionPoint, isPcikitError, PcikitError } from '@pcikit/core'
import type { ExtensionPoint, Extensions, Logger, NamedContribution } from '@pcikit/core'
import type { BlockBackend } from './block-backend.js'

/** What a back end is opened with, besides its argument. */
export interface BlockOpenContext {
  /** The block size that the device presents, in bytes. The back end has this one, or refuses to open. */
  readonly blockSize: number
  readonly logger: Logger
}

/** A kind of back end, as a plugin contributes it to {@link BLOCK_BACKEND}. */
export interface BlockBackendContribution extends NamedContribution {
  /** How users write it: 'memory:SIZE'. */
  readonly usage: string
  /**
   * Throws PCIKIT_BLOCK_SPEC_INVALID for an argument that makes no sense, without looking at any storage. For a check
   * of what a user wrote before it is used.
   */
  readonly check?: ((argument: string) => void) | undefined
  /**
   * Opens storage. `argument` is what follows the colon in what the user wrote, empty when there is none. Rejects with
   * PCIKIT_BLOCK_SPEC_INVALID for an argument that makes no sense, PCIKIT_BLOCK_LOCKED for storage in use, and
   * PCIKIT_BLOCK_UNAVAILABLE for what cannot be opened.
   */
  open(argument: string, context: BlockOpenContext): Promise<BlockBackend>
}

/** Where plugins contribute kinds of block back ends. */
export const BLOCK_BACKEND: ExtensionPoint<BlockBackendContribution> = defineExtensionPoint(
  '@pcikit/block/backend',
  'block back end'
)

/** Block sizes that a device can present: what the guests we know accept. */
const BLOCK_SIZE_MIN = 512
const BLOCK_SIZE_MAX = 65536

/**
 * Opens the back end that a user asked for, `name:argument`. Rejects with PCIKIT_BLOCK_SPEC_INVALID, which lists what
 * there is, for a name that no plugin contributed, and with what the back end itself says.
 */
export async function openBlockBackend (
  extensions: Extensions,
  spec: string,
  context: BlockOpenContext
): Promise<BlockBackend> {
  assertBlockSize(context.blockSize)
  const colon = spec.indexOf(':')
  const name = colon < 0 ? spec : spec.slice(0, colon)
  const found = extensions.list(BLOCK_BACKEND).find(contribution => contribution.value.name === name)
  if (found === undefined) throw unknownBackend(extensions, spec, name)
  const backend = await openContribution(found.value, spec, colon < 0 ? '' : spec.slice(colon + 1), context)
  if (backend.blockSize === context.blockSize) return backend
  await backend[Symbol.asyncDispose]()
  throw new PcikitError(
    'PCIKIT_BLOCK_UNAVAILABLE',
    `"${spec}" has blocks of ${backend.blockSize} bytes, and the device needs blocks of ${context.blockSize} bytes. ` +
      'Choose another block size for the device, or another back end.',
    { details: { spec, plugin: found.plugin } }
  )
}

async function openContribution (
  contribution: BlockBackendContribution,
  spec: string,
  argument: string,
  context: BlockOpenContext
): Promise<BlockBackend> {
  try {
    return await contribution.open(argument, context)
  } catch (cause) {
    if (isPcikitError(cause)) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new PcikitError('PCIKIT_BLOCK_UNAVAILABLE', `The back end "${spec}" could not be opened: ${why}`, {
      cause,
      details: { spec }
    })
  }
}

function assertBlockSize (blockSize: number): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(blockSize))
  assert(
    isPowerOfTwo && blockSize >= BLOCK_SIZE_MIN && blockSize <= BLOCK_SIZE_MAX,
    `A block size is a power of two from ${BLOCK_SIZE_MIN} to ${BLOCK_SIZE_MAX}, not ${blockSize}.`
  )
}

function unknownBackend (extensions: Extensions, spec: string, name: string): PcikitError {
  const known = extensions.list(BLOCK_BACKEND).map(({ value }) => `\n  ${value.usage}  ${value.summary}`)
  const choices = known.length === 0 ?
    'No plugin contributes any: add @pcikit/block to the plugins.' :
    `There are:${known.join('')}`
  const isPath = /[./]/.test(name)
  const hint = isPath ? `Write file:${spec} for a file. ` : ''
  return new PcikitError('PCIKIT_BLOCK_SPEC_INVALID', `"${spec}" names no block back end. ${hint}${choices}`, {
    details: { spec, name }
  })
}
