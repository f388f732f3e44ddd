import { Errno, ProtocolError } from '@pcikit/core'
import { handleDeviceFeature } from './handlers/device-feature.js'
import { handleDeviceInfo } from './handlers/device-info.js'
import { handleDeviceReset } from './handlers/device-reset.js'
import { handleDmaMap } from './handlers/dma-map.js'
import { handleDmaUnmap } from './handlers/dma-unmap.js'
import { handleIrqInfo } from './handlers/irq-info.js'
import { handleRegionRead, handleRegionWrite } from './handlers/region-access.js'
import { handleRegionInfo } from './handlers/region-info.js'
import { handleRegionIoFds } from './handlers/region-io-fds.js'
import { handleSetIrqs } from './handlers/set-irqs.js'
import { handleWriteMulti } from './handlers/write-multi.js'
import { Command, commandName } from './protocol.js'
import { invalid } from './request-context.js'
import type { CommandHandler } from './request-context.js'

/** For what the protocol has and this server does not offer. */
const refuseUnsupported: CommandHandler = message => {
  throw new ProtocolError(Errno.EOPNOTSUPP, `${commandName(message.command)} is not supported.`)
}

/** For what only a server sends, what comes once, and what nobody knows. */
const refuseInvalid: CommandHandler = message => {
  throw invalid(message, 'is not a command that a client may send here')
}

const HANDLERS: readonly CommandHandler[] = tabulate({
  [Command.DMA_MAP]: handleDmaMap,
  [Command.DMA_UNMAP]: handleDmaUnmap,
  [Command.DEVICE_GET_INFO]: handleDeviceInfo,
  [Command.DEVICE_GET_REGION_INFO]: handleRegionInfo,
  [Command.DEVICE_GET_REGION_IO_FDS]: handleRegionIoFds,
  [Command.DEVICE_GET_IRQ_INFO]: handleIrqInfo,
  [Command.DEVICE_SET_IRQS]: handleSetIrqs,
  [Command.REGION_READ]: handleRegionRead,
  [Command.REGION_WRITE]: handleRegionWrite,
  [Command.DEVICE_RESET]: handleDeviceReset,
  [Command.DIRTY_PAGES]: refuseUnsupported,
  [Command.REGION_WRITE_MULTI]: handleWriteMulti,
  [Command.DEVICE_FEATURE]: handleDeviceFeature,
  [Command.MIG_DATA_READ]: refuseUnsupported,
  [Command.MIG_DATA_WRITE]: refuseUnsupported
})

/** What handles a command of a client that has negotiated. */
export function handlerOf (command: number): CommandHandler {
  return HANDLERS[command] ?? refuseInvalid
}

function tabulate (byCommand: Readonly<Record<number, CommandHandler>>): CommandHandler[] {
  const handlers = new Array<CommandHandler>(Math.max(...Object.keys(byCommand).map(Number)) + 1).fill(refuseInvalid)
  for (const [command, handler] of Object.entries(byCommand)) handlers[Number(command)] = handler
  return handlers
}
