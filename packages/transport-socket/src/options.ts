import * as z from 'zod'
import { DEFAULT_TRANSFER_BYTES } from './protocol.js'
import type { StreamListener } from './stream-socket.js'

const MODE_MAX = 0o777

/** Permission bits: a number, or octal digits as chmod takes them. */
const mode = z.union([
  z.number().int().min(0).max(MODE_MAX),
  z.string().regex(/^0?o?[0-7]{3}$/, 'A mode is three octal digits: 600, 0660').transform(parseMode)
])

function parseMode (text: string): number {
  return Number.parseInt(text.slice(-3), 8)
}

/** What a session can be told, wherever its bytes come from. */
const sessionOptions = {
  transferBytesMax: z.number().int().min(4096).max(64 << 20).default(DEFAULT_TRANSFER_BYTES)
    .describe('Most bytes of one region access, and of one DMA message'),
  descriptorsMax: z.number().int().min(1).max(253).default(16)
    .describe('Most file descriptors in one message of a client'),
  queuedCommandsMax: z.number().int().min(1).max(65_536).default(1024)
    .describe('How many commands are read ahead while one is being worked on'),
  dmaRequestsMax: z.number().int().min(1).max(32_768).default(64)
    .describe('How many requests for memory of a client may be on their way'),
  dmaTimeoutMs: z.number().int().min(1).max(3_600_000).default(4000)
    .describe('How long a client may take to answer a request for its memory, in milliseconds'),
  dmaMessageLayout: z.enum(['auto', 'specification', 'qemu']).default('auto')
    .describe('How DMA_READ and DMA_WRITE are laid out; auto finds out')
}

/** What the transport `socket` can be told. */
export const socketOptions = z.strictObject({
  path: z.string().min(1).describe('Where clients find the socket'),
  mode: mode.prefault('0600').describe('Permission bits of the socket file, in octal'),
  ...sessionOptions
})

/** The options of the transport `socket`, parsed. */
export type SocketOptions = z.output<typeof socketOptions>

function isListener (value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'accept' in value && 'onReadable' in value && 'close' in value
}

/** What the transport `memory` can be told: where its connections come from, and else what `socket` can. */
export const memoryOptions = z.strictObject({
  ...sessionOptions,
  listener: z.custom<StreamListener>(isListener, 'an object that connections come from, such as a MemoryListener')
    .describe('What connections come from, in place of a socket')
}).transform((options): ListenerOptions => ({ ...options, path: 'memory', mode: 0 }))

/** The options of a transport whose connections come from an object; its `path` is what it is called. */
export interface ListenerOptions extends SocketOptions {
  readonly listener: StreamListener
}
