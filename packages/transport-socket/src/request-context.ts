import type { DmaManager, PciFunction } from '@pcikit/core'
import { Errno, ProtocolError } from '@pcikit/core'
import type { Agreement } from './capabilities.js'
import type { IrqWatches } from './irq-watches.js'
import type { Message } from './message.js'
import { commandName } from './protocol.js'
import type { RegionTable } from './region-table.js'
import type { ReplyWriter } from './reply-writer.js'

/** What a command of one connection can reach. */
export interface RequestContext {
  readonly function: PciFunction
  readonly dma: DmaManager
  readonly agreement: Agreement
  readonly regions: RegionTable
  readonly watches: IrqWatches
}

/**
 * Handles one kind of command. A return without a promise, or the promise's end, sends what is in `reply`. A thrown
 * ProtocolError sends its errno instead. Descriptors that it does not take from the message are closed.
 */
export type CommandHandler = (
  message: Message,
  reply: ReplyWriter,
  context: RequestContext
) => void | Promise<void>

/** Throws ProtocolError EINVAL where the payload is shorter than the structure of its command. */
export function requirePayload (message: Message, byteLength: number): void {
  if (message.byteLength >= byteLength) return
  throw invalid(message, `has a payload of ${message.byteLength} bytes, and needs ${byteLength}`)
}

/** Throws ProtocolError EINVAL where `argsz`, the room for the reply, is less than the reply's fixed part. */
export function requireArgsz (message: Message, argsz: number, byteLength: number): void {
  if (argsz >= byteLength) return
  throw invalid(message, `has an argsz of ${argsz}, and needs ${byteLength}`)
}

/** A ProtocolError EINVAL that names the command. */
export function invalid (message: Message, what: string): ProtocolError {
  return new ProtocolError(Errno.EINVAL, `${commandName(message.command)} ${what}.`)
}
