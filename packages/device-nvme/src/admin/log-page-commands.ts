import type { AsyncEvents } from '../async-events.js'
import type { ChangedNamespaces } from '../changed-namespaces.js'
import type { Command } from '../command.js'
import type { ErrorLog } from '../error-log.js'
import type { Health } from '../health.js'
import { AsyncEventType } from '../layouts/async-event.js'
import { GetLogPageDwords } from '../layouts/command.js'
import { CommandEffects, FirmwareSlotLogLayout, LogPage } from '../layouts/log-pages.js'
import { AdminOpcode, IoOpcode, NSID_ALL } from '../opcodes.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import type { DataTransfer } from '../transfer.js'

/** [NVMe-Base] "Commands Supported and Effects Log Page": 256 admin commands, then 256 I/O commands, a word each. */
const COMMAND_EFFECTS_BYTES = 4096
const IO_COMMANDS_AT = 1024
const WORD = 0x1_0000_0000

const plain = CommandEffects.CSUPP.mask
const changesBlocks = plain | CommandEffects.LBCC.mask
const ioEffects: readonly (readonly [IoOpcode, number])[] = [
  [IoOpcode.FLUSH, plain],
  [IoOpcode.WRITE, changesBlocks],
  [IoOpcode.READ, plain],
  [IoOpcode.COMPARE, plain],
  [IoOpcode.WRITE_ZEROES, changesBlocks],
  [IoOpcode.DATASET_MANAGEMENT, changesBlocks]
]

/** What the log pages are made of. */
export interface LogSources {
  readonly errors: ErrorLog
  readonly health: Health
  readonly events: AsyncEvents
  readonly changed: ChangedNamespaces
  /** Firmware revision, for slot 1. */
  readonly firmware: string
  /** Bytes of one command at most: MDTS. */
  readonly transferBytesMax: number
  /** Whether Doorbell Buffer Config is offered. */
  readonly hasDoorbellBuffers: boolean
}

/** Get Log Page. [NVMe-Base] "Get Log Page command". */
export class LogPageCommands {
  readonly #sources: LogSources
  readonly #transfer: DataTransfer

  constructor (sources: LogSources, transfer: DataTransfer) {
    this.#sources = sources
    this.#transfer = transfer
  }

  get (command: Command): Outcome {
    const lid = GetLogPageDwords.LID.get(command.cdw10)
    const page = this.#build(lid)
    if (page === undefined) return Status.INVALID_LOG_PAGE
    // All of our pages are the controller's. [NVMe-Base]: "... the controller shall abort the command" for one
    // namespace.
    if (command.nsid !== 0 && command.nsid !== NSID_ALL) return Status.INVALID_FIELD
    const numberOfDwords = GetLogPageDwords.NUMDU.get(command.cdw11) * 0x1_0000 +
      GetLogPageDwords.NUMDL.get(command.cdw10) + 1
    const byteLength = numberOfDwords * 4
    const offset = command.cdw12 + command.cdw13 * WORD
    // "If the host specifies an offset (i.e., LPOL and LPOU) that is greater than the size of the log page requested,
    // then the controller shall abort the command with a status code of Invalid Field in Command."
    if (offset > page.length || offset % 4 !== 0) return Status.INVALID_FIELD
    if (byteLength > this.#sources.transferBytesMax) return Status.INVALID_FIELD
    if (!GetLogPageDwords.RAE.isSet(command.cdw10)) this.#clearEvents(lid)
    return this.#transfer.toHost(command, page.subarray(offset, offset + byteLength), byteLength)
  }

  #build (lid: number): Uint8Array | undefined {
    switch (lid) {
      case LogPage.ERROR_INFORMATION:
        return this.#sources.errors.toLogPage()
      case LogPage.HEALTH:
        return this.#sources.health.toLogPage(this.#sources.errors.count)
      case LogPage.FIRMWARE_SLOT:
        return firmwareSlotLog(this.#sources.firmware)
      case LogPage.CHANGED_NAMESPACES:
        return this.#sources.changed.toLogPage()
      case LogPage.COMMANDS_SUPPORTED:
        return commandEffectsLog(this.#sources.hasDoorbellBuffers)
      default:
        return undefined
    }
  }

  #clearEvents (lid: number): void {
    const { events, changed } = this.#sources
    if (lid === LogPage.ERROR_INFORMATION) events.clear(AsyncEventType.ERROR)
    else if (lid === LogPage.HEALTH) events.clear(AsyncEventType.HEALTH)
    else if (lid === LogPage.CHANGED_NAMESPACES) {
      events.clear(AsyncEventType.NOTICE)
      // Not by reads that retain the event: a host that reads in pieces retains it until the last.
      changed.clear()
    }
  }
}

function firmwareSlotLog (firmware: string): Uint8Array {
  const page = new Uint8Array(FirmwareSlotLogLayout.byteLength)
  const view = new DataView(page.buffer)
  FirmwareSlotLogLayout.afi.set(view, 0, 1)
  FirmwareSlotLogLayout.frs1.set(view, 0, new TextEncoder().encode(firmware.padEnd(8)))
  return page
}

function commandEffectsLog (hasDoorbellBuffers: boolean): Uint8Array {
  const page = new Uint8Array(COMMAND_EFFECTS_BYTES)
  const view = new DataView(page.buffer)
  for (const opcode of Object.values(AdminOpcode)) view.setUint32(opcode * 4, plain, true)
  if (!hasDoorbellBuffers) view.setUint32(AdminOpcode.DOORBELL_BUFFER_CONFIG * 4, 0, true)
  for (const [opcode, effects] of ioEffects) view.setUint32(IO_COMMANDS_AT + opcode * 4, effects, true)
  return page
}
