/** Every code a {@link PcikitError} can carry. Codes are never renamed or reused; docs/errors.md explains each. */
export type PcikitErrorCode =
  | 'PCIKIT_PLUGIN_NOT_FOUND'
  | 'PCIKIT_PLUGIN_INVALID'
  | 'PCIKIT_PLUGIN_API_VERSION_MISMATCH'
  | 'PCIKIT_PLUGIN_DUPLICATE'
  | 'PCIKIT_EXTENSION_DUPLICATE'
  | 'PCIKIT_EXTENSION_NOT_FOUND'
  | 'PCIKIT_SERVICE_NOT_FOUND'
  | 'PCIKIT_DEVICE_FAILED'
  | 'PCIKIT_DEVICE_NAME_DUPLICATE'
  | 'PCIKIT_SWAP_SHAPE_DIFFERS'
  | 'PCIKIT_SWAP_FAILED'
  | 'PCIKIT_COMPILER_NOT_FOUND'
  | 'PCIKIT_OPTION_INVALID'
  | 'PCIKIT_HOST_CLOSED'
  | 'PCIKIT_CLOSE_FAILED'
  | 'PCIKIT_BLOCK_OUT_OF_RANGE'
  | 'PCIKIT_BLOCK_READ_ONLY'
  | 'PCIKIT_BLOCK_SPEC_INVALID'
  | 'PCIKIT_BLOCK_UNAVAILABLE'
  | 'PCIKIT_BLOCK_LOCKED'
  | 'PCIKIT_BLOCK_CLOSED'
  | 'PCIKIT_ZONE_STATE_INVALID'
  | 'PCIKIT_NATIVE_UNAVAILABLE'
  | 'PCIKIT_SOCKET_IN_USE'
  | 'PCIKIT_SOCKET_UNAVAILABLE'
  | 'PCIKIT_PCI_LAYOUT_INVALID'
  | 'PCIKIT_VIRTIO_DESCRIPTION_INVALID'
  | 'PCIKIT_CONFIG_UNREADABLE'
  | 'PCIKIT_CONFIG_INVALID'
  | 'PCIKIT_CONFIG_DEVICE_FAILED'

/** Marks a PcikitError, whichever copy of this package made it. */
export const pcikitError: unique symbol = Symbol.for('@pcikit/error') as never

/** What a {@link PcikitError} can carry besides its message. */
export interface PcikitErrorOptions extends ErrorOptions {
  /** Values behind the message, for programs. */
  readonly details?: Readonly<Record<string, unknown>>
}

/**
 * An error of the operator or of a plugin, with a stable code. The message says what happened, why, and what to do.
 * Match on `code`, not on the class: another copy of this package may have thrown it.
 */
export class PcikitError extends Error {
  readonly [pcikitError] = true
  readonly code: PcikitErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor (code: PcikitErrorCode, message: string, options: PcikitErrorOptions = {}) {
    super(message, options)
    this.name = 'PcikitError'
    this.code = code
    this.details = options.details ?? {}
  }
}

/** Tells whether a thrown value is a {@link PcikitError} of any copy of this package, with that code if given. */
export function isPcikitError (error: unknown, code?: PcikitErrorCode): error is PcikitError {
  if (typeof error !== 'object' || error === null || !(pcikitError in error)) return false
  return code === undefined || (error as PcikitError).code === code
}

/** The errno values that the vfio-user protocol carries in its error replies. [vfio-user] "Header", field Error. */
export const Errno = Object.freeze(
  {
    EPERM: 1,
    ENOENT: 2,
    EIO: 5,
    E2BIG: 7,
    EBADF: 9,
    EAGAIN: 11,
    ENOMEM: 12,
    EACCES: 13,
    EFAULT: 14,
    EBUSY: 16,
    EEXIST: 17,
    ENODEV: 19,
    EINVAL: 22,
    ENOTTY: 25,
    ENOSPC: 28,
    ENOSYS: 38,
    EOPNOTSUPP: 95,
    ETIMEDOUT: 110
  } as const
)
export type Errno = (typeof Errno)[keyof typeof Errno]

/** Marks a ProtocolError, whichever copy of this package made it. */
export const protocolError: unique symbol = Symbol.for('@pcikit/protocol-error') as never

/**
 * A client asked for something that the protocol does not allow or that this device cannot do. The transport answers
 * with an error reply that carries `errno`; the session lives on.
 */
export class ProtocolError extends Error {
  readonly [protocolError] = true
  readonly errno: Errno

  constructor (errno: Errno, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.name = 'ProtocolError'
    this.errno = errno
  }
}

/** Tells whether a thrown value is a {@link ProtocolError} of any copy of this package. */
export function isProtocolError (error: unknown): error is ProtocolError {
  return typeof error === 'object' && error !== null && protocolError in error
}

/** A programming error of ours: something that cannot be was. The device that sees it goes fatal, the others run on. */
export class AssertionError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'AssertionError'
  }
}

/** Throws an {@link AssertionError} unless the condition holds. Always on. */
export function assert (condition: boolean, why: string): asserts condition {
  if (!condition) throw new AssertionError(why)
}
