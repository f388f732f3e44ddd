import type { StreamLimits } from './message-stream.js'
import type { SocketOptions } from './options.js'

/**
 * What a message has at most besides the data that is counted by `max_data_xfer_size`: its header and fields, and what
 * has no such count (JSON, booleans of interrupts, the 4 KiB that SPDK's initiator sends for a question of 32 bytes).
 */
const MESSAGE_BYTES_BESIDE_DATA = 8 << 10

/** How much is read ahead, in bytes, while a command is being worked on. */
const QUEUED_BYTES_MAX = 1 << 20

/** The bounds of the messages of a client that follow from the options. */
export function streamLimits (options: SocketOptions): StreamLimits {
  const messageBytesMax = options.transferBytesMax + MESSAGE_BYTES_BESIDE_DATA
  return {
    messageBytesMax,
    descriptorsMax: options.descriptorsMax,
    queuedCommandsMax: options.queuedCommandsMax,
    queuedBytesMax: Math.max(QUEUED_BYTES_MAX, messageBytesMax)
  }
}
