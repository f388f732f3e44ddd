import type { AsyncEvents } from './async-events.js'
import type { Health } from './health.js'
import { TEMPERATURE_KELVIN, WARNING_TEMPERATURE_KELVIN } from './health.js'
import type { KeepAlive } from './keep-alive.js'
import { AsyncEventType, HealthEvent } from './layouts/async-event.js'
import {
  AsyncEventConfiguration,
  ErrorRecovery,
  Feature,
  InterruptVectorConfiguration,
  PowerManagement,
  TemperatureThreshold
} from './layouts/features.js'
import { LogPage } from './layouts/log-pages.js'
import { Status } from './status.js'

/** What there is to know of a feature that is one word. */
interface FeatureRule {
  readonly defaultValue: number
  /** Bits that are kept; the others are reserved. */
  readonly kept: number
}

const rules: Readonly<Record<number, FeatureRule>> = Object.freeze({
  [Feature.ARBITRATION]: { defaultValue: 0x07, kept: 0xffff_ff07 },
  [Feature.POWER_MANAGEMENT]: { defaultValue: 0, kept: PowerManagement.PS.mask | PowerManagement.WH.mask },
  [Feature.ERROR_RECOVERY]: { defaultValue: 0, kept: ErrorRecovery.TLER.mask },
  [Feature.VOLATILE_WRITE_CACHE]: { defaultValue: 1, kept: 1 },
  [Feature.INTERRUPT_COALESCING]: { defaultValue: 0, kept: 0xffff },
  [Feature.WRITE_ATOMICITY]: { defaultValue: 0, kept: 1 },
  [Feature.ASYNC_EVENT_CONFIGURATION]: {
    defaultValue: 0,
    kept: AsyncEventConfiguration.SMART.mask | AsyncEventConfiguration.NAMESPACE_ATTRIBUTE.mask
  },
  [Feature.KEEP_ALIVE_TIMER]: { defaultValue: 0, kept: 0xffff_ffff }
})

/** What features act upon. */
export interface FeatureTargets {
  readonly events: AsyncEvents
  readonly health: Health
  readonly keepAlive: KeepAlive
  /** Whether a namespace has a volatile write cache. */
  readonly hasVolatileCache: boolean
  /** Interrupt vectors that a completion queue may name. */
  readonly vectorCount: number
}

/** What the host has set. */
export interface FeaturesState {
  readonly values: readonly (readonly [fid: number, value: number])[]
  readonly thresholds: readonly number[]
  readonly coalescingDisabled: readonly number[]
}

/** [NVMe-Base] "Temperature Threshold": which of the two thresholds. */
const Threshold = Object.freeze({ OVER: 0, UNDER: 1 } as const)
/** [NVMe-Base] "Temperature Threshold": sensors. The controller has the composite temperature alone. */
const Sensor = Object.freeze({ COMPOSITE: 0, LAST: 8, ALL: 15 } as const)
/** Temperatures at which no event can happen. */
const defaultThresholds = Object.freeze([WARNING_TEMPERATURE_KELVIN, 0] as const)

/**
 * The values of the features that are one word, and what setting them does. None can be saved over a power cycle.
 * [NVMe-Base] "Feature Values", "Set Features command".
 */
export class Features {
  readonly #targets: FeatureTargets
  readonly #values = new Map<number, number>()
  readonly #thresholds: number[] = [...defaultThresholds]
  readonly #coalescingDisabled = new Set<number>()

  constructor (targets: FeatureTargets) {
    this.#targets = targets
  }

  /** Whether completed writes may stay in a volatile cache until a flush. */
  get isWriteCacheEnabled (): boolean {
    return this.get(Feature.VOLATILE_WRITE_CACHE) === 1
  }

  /** Aggregation Threshold and Time, and 0 where the host asked for nothing. [NVMe-Base] "Interrupt Coalescing". */
  get interruptCoalescing (): number {
    return this.get(Feature.INTERRUPT_COALESCING)
  }

  /** Whether the host wants each interrupt of a vector. [NVMe-Base] "Interrupt Vector Configuration". */
  isCoalescingDisabled (vector: number): boolean {
    return this.#coalescingDisabled.has(vector)
  }

  /** The current value of a feature that has one for all. */
  get (fid: number): number {
    return this.#values.get(fid) ?? rules[fid]!.defaultValue
  }

  /** The value of a feature, or undefined where `cdw11` asks for what is not there or the feature is unknown. */
  read (fid: number, cdw11: number, wantsDefault: boolean): number | undefined {
    if (fid === Feature.TEMPERATURE_THRESHOLD) return this.#readThreshold(cdw11, wantsDefault)
    if (fid === Feature.INTERRUPT_VECTOR_CONFIGURATION) return this.#readVector(cdw11, wantsDefault)
    if (!this.#isSupported(fid)) return undefined
    return wantsDefault ? rules[fid]!.defaultValue : this.get(fid)
  }

  write (fid: number, cdw11: number): Status {
    if (fid === Feature.TEMPERATURE_THRESHOLD) return this.#writeThreshold(cdw11)
    if (fid === Feature.INTERRUPT_VECTOR_CONFIGURATION) return this.#writeVector(cdw11)
    if (!this.#isSupported(fid)) return Status.INVALID_FIELD
    // NPSS is 0, and no namespace supports the Deallocated or Unwritten Logical Block error.
    if (fid === Feature.POWER_MANAGEMENT && PowerManagement.PS.get(cdw11) !== 0) return Status.INVALID_FIELD
    if (fid === Feature.ERROR_RECOVERY && ErrorRecovery.DULBE.isSet(cdw11)) return Status.INVALID_FIELD
    this.#values.set(fid, (cdw11 & rules[fid]!.kept) >>> 0)
    if (fid === Feature.KEEP_ALIVE_TIMER) this.#targets.keepAlive.start(cdw11)
    if (fid === Feature.ASYNC_EVENT_CONFIGURATION) this.#checkTemperature()
    return Status.SUCCESS
  }

  save (): FeaturesState {
    return {
      values: [...this.#values],
      thresholds: [...this.#thresholds],
      coalescingDisabled: [...this.#coalescingDisabled]
    }
  }

  /** Sets what was set elsewhere. Nothing is told of it again. */
  restore ({ values, thresholds, coalescingDisabled }: FeaturesState): void {
    for (const [fid, value] of values) if (rules[fid] !== undefined) this.#values.set(fid, value)
    this.#thresholds.splice(0, thresholds.length, ...thresholds)
    for (const vector of coalescingDisabled) this.#coalescingDisabled.add(vector)
    this.#targets.keepAlive.start(this.get(Feature.KEEP_ALIVE_TIMER))
  }

  /** Gives every feature its default. [NVMe-Base] "Controller Level Reset". */
  reset (): void {
    this.#values.clear()
    this.#coalescingDisabled.clear()
    this.#thresholds.splice(0, defaultThresholds.length, ...defaultThresholds)
    this.#targets.health.isTemperatureWarning = false
    this.#targets.keepAlive.stop()
  }

  #isSupported (fid: number): boolean {
    if (fid === Feature.VOLATILE_WRITE_CACHE) return this.#targets.hasVolatileCache
    return rules[fid] !== undefined
  }

  #readThreshold (cdw11: number, wantsDefault: boolean): number | undefined {
    const which = TemperatureThreshold.THSEL.get(cdw11)
    const sensor = TemperatureThreshold.TMPSEL.get(cdw11)
    if (which > Threshold.UNDER || sensor > Sensor.LAST) return undefined
    // A sensor that is not there has no threshold.
    if (sensor !== Sensor.COMPOSITE) return 0
    return wantsDefault ? defaultThresholds[which] : this.#thresholds[which]
  }

  #writeThreshold (cdw11: number): Status {
    const which = TemperatureThreshold.THSEL.get(cdw11)
    const sensor = TemperatureThreshold.TMPSEL.get(cdw11)
    if (which > Threshold.UNDER || (sensor > Sensor.LAST && sensor !== Sensor.ALL)) return Status.INVALID_FIELD
    if (sensor !== Sensor.COMPOSITE && sensor !== Sensor.ALL) return Status.SUCCESS
    this.#thresholds[which] = TemperatureThreshold.TMPTH.get(cdw11)
    this.#checkTemperature()
    return Status.SUCCESS
  }

  #checkTemperature (): void {
    const over = this.#thresholds[Threshold.OVER]!
    const under = this.#thresholds[Threshold.UNDER]!
    const isWarning = TEMPERATURE_KELVIN >= over || TEMPERATURE_KELVIN <= under
    this.#targets.health.isTemperatureWarning = isWarning
    if (!isWarning || !AsyncEventConfiguration.TEMPERATURE.isSet(this.get(Feature.ASYNC_EVENT_CONFIGURATION))) return
    this.#targets.events.raise(AsyncEventType.HEALTH, HealthEvent.TEMPERATURE_THRESHOLD, LogPage.HEALTH)
  }

  #readVector (cdw11: number, wantsDefault: boolean): number | undefined {
    const vector = InterruptVectorConfiguration.IV.get(cdw11)
    if (vector >= this.#targets.vectorCount) return undefined
    const disabled = !wantsDefault && this.#coalescingDisabled.has(vector)
    return InterruptVectorConfiguration.CD.set(vector, disabled ? 1 : 0)
  }

  #writeVector (cdw11: number): Status {
    const vector = InterruptVectorConfiguration.IV.get(cdw11)
    if (vector >= this.#targets.vectorCount) return Status.INVALID_FIELD
    if (InterruptVectorConfiguration.CD.isSet(cdw11)) this.#coalescingDisabled.add(vector)
    else this.#coalescingDisabled.delete(vector)
    return Status.SUCCESS
  }
}
