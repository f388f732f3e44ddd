import { HealthLogLayout } from './layouts/log-pages.js'

/** The controller has no sensor; it is always this warm. In kelvins: 40 degrees Celsius. */
export const TEMPERATURE_KELVIN = 313
/** [NVMe-Base] "Identify Controller: WCTEMP, CCTEMP", in kelvins. */
export const WARNING_TEMPERATURE_KELVIN = 343
export const CRITICAL_TEMPERATURE_KELVIN = 353

/** [NVMe-Base] "SMART / Health Information": "Data Units Read", in thousands of 512 bytes, rounded up. */
const DATA_UNIT_BYTES = 512 * 1000
const MS_PER_HOUR = 3_600_000
/** [NVMe-Base] "SMART / Health Information": Critical Warning bit 1, temperature. */
const WARNING_TEMPERATURE_BIT = 1 << 1

/** Places of the counters that every command moves. */
const READ_COMMANDS = 0
const READ_BYTES = 1
const WRITE_COMMANDS = 2
const WRITTEN_BYTES = 3

/** What was counted. */
export interface HealthState {
  readonly counts: readonly number[]
  readonly unsafeShutdowns: number
  readonly mediaErrors: number
  readonly isTemperatureWarning: boolean
  readonly startedMs: number
}

/** Counts what the SMART / Health Information log tells. The counters live as long as the device. */
export class Health {
  unsafeShutdowns = 0
  mediaErrors = 0
  isTemperatureWarning = false
  #startedMs = Date.now()
  // In an array, as a property that outgrows small integers is a new object for each value.
  readonly #counts = new Float64Array(4)

  /** A read, or a comparison, of so many bytes. */
  countRead (byteLength: number): void {
    this.#counts[READ_COMMANDS]!++
    this.#counts[READ_BYTES]! += byteLength
  }

  countWrite (byteLength: number): void {
    this.#counts[WRITE_COMMANDS]!++
    this.#counts[WRITTEN_BYTES]! += byteLength
  }

  save (): HealthState {
    const { unsafeShutdowns, mediaErrors, isTemperatureWarning } = this
    return { counts: [...this.#counts], unsafeShutdowns, mediaErrors, isTemperatureWarning, startedMs: this.#startedMs }
  }

  restore (state: HealthState): void {
    this.#counts.set(state.counts.slice(0, this.#counts.length))
    this.unsafeShutdowns = state.unsafeShutdowns
    this.mediaErrors = state.mediaErrors
    this.isTemperatureWarning = state.isTemperatureWarning
    this.#startedMs = state.startedMs
  }

  /** The log page. */
  toLogPage (errorCount: number): Uint8Array {
    const page = new Uint8Array(HealthLogLayout.byteLength)
    const view = new DataView(page.buffer)
    HealthLogLayout.criticalWarning.set(view, 0, this.isTemperatureWarning ? WARNING_TEMPERATURE_BIT : 0)
    HealthLogLayout.compositeTemperature.set(view, 0, TEMPERATURE_KELVIN)
    HealthLogLayout.availableSpare.set(view, 0, 100)
    HealthLogLayout.availableSpareThreshold.set(view, 0, 10)
    HealthLogLayout.dataUnitsRead.set(view, 0, Math.ceil(this.#counts[READ_BYTES]! / DATA_UNIT_BYTES))
    HealthLogLayout.dataUnitsWritten.set(view, 0, Math.ceil(this.#counts[WRITTEN_BYTES]! / DATA_UNIT_BYTES))
    HealthLogLayout.hostReadCommands.set(view, 0, this.#counts[READ_COMMANDS]!)
    HealthLogLayout.hostWriteCommands.set(view, 0, this.#counts[WRITE_COMMANDS]!)
    HealthLogLayout.powerCycles.set(view, 0, 1)
    HealthLogLayout.powerOnHours.set(view, 0, Math.floor((Date.now() - this.#startedMs) / MS_PER_HOUR))
    HealthLogLayout.unsafeShutdowns.set(view, 0, this.unsafeShutdowns)
    HealthLogLayout.mediaErrors.set(view, 0, this.mediaErrors)
    HealthLogLayout.errorLogEntries.set(view, 0, errorCount)
    return page
  }
}
