import type { Command } from './command.js'
import { ErrorEntryLayout } from './layouts/log-pages.js'

/** Entries kept. ELPE is one less. [NVMe-Base] "Identify Controller". */
export const ERROR_LOG_ENTRIES = 64

const NO_QUEUE = 0xffff

/** The newest errors, for the Error Information log page. Taking one down allocates nothing. */
export class ErrorLog {
  readonly #bytes = new Uint8Array(ERROR_LOG_ENTRIES * ErrorEntryLayout.byteLength)
  readonly #view = new DataView(this.#bytes.buffer)
  #count = 0

  /** Errors since the controller was built. [NVMe-Base] "Error Information Log Entry: Error Count". */
  get count (): number {
    return this.#count
  }

  /** Takes down that a command failed. `statusField` is without the phase tag. */
  recordCommand (command: Command, statusField: number, lba: number): void {
    this.#record(command.queue?.id ?? NO_QUEUE, command.cid, statusField, command.nsid, lba)
  }

  /** Takes down an error that no command is to blame for. */
  recordController (): void {
    this.#record(NO_QUEUE, NO_QUEUE, 0, 0, 0)
  }

  /** The log page: the newest entry first. */
  toLogPage (): Uint8Array {
    const page = new Uint8Array(this.#bytes.length)
    const size = ErrorEntryLayout.byteLength
    for (let age = 0; age < Math.min(this.#count, ERROR_LOG_ENTRIES); age++) {
      const at = ((this.#count - 1 - age) % ERROR_LOG_ENTRIES) * size
      page.set(this.#bytes.subarray(at, at + size), age * size)
    }
    return page
  }

  #record (sqid: number, cid: number, statusField: number, nsid: number, lba: number): void {
    const base = (this.#count % ERROR_LOG_ENTRIES) * ErrorEntryLayout.byteLength
    this.#count++
    ErrorEntryLayout.errorCount.set(this.#view, base, this.#count)
    ErrorEntryLayout.sqid.set(this.#view, base, sqid)
    ErrorEntryLayout.cid.set(this.#view, base, cid)
    ErrorEntryLayout.status.set(this.#view, base, statusField << 1)
    // "If the error is not specific to a particular command ... this field shall be set to FFFFh".
    ErrorEntryLayout.parameterErrorLocation.set(this.#view, base, NO_QUEUE)
    ErrorEntryLayout.lba.set(this.#view, base, lba)
    ErrorEntryLayout.nsid.set(this.#view, base, nsid)
  }
}
