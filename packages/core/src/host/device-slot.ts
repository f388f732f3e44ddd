import type { Device } from '../device.js'
import { endsWithin } from '../ends-within.js'
import { isPcikitError, PcikitError } from '../errors.js'
import type { Logger } from '../logger.js'
import type { PciFunction } from '../pci-function.js'
import type { DeviceContribution, OwnedContribution, Plugin } from '../plugin.js'
import type { Recorder } from '../recorder.js'
import { DeviceCode } from './device-code.js'
import type { DeviceSurroundings, SavedState } from './device-code.js'
import type { HostedEndpoint } from './device-endpoint.js'
import { ExchangeableFunction } from './exchangeable-function.js'
import { differencesOf, shapeOf } from './function-shape.js'
import type { FunctionShape } from './function-shape.js'
import { deviceTypeOf, refuseClosed, refuseShape, swapFailure } from './swap-refusals.js'

/** What became of a device whose code was exchanged. */
export interface SwapOutcome {
  /**
   * Whether the device goes on where it was, or is as after power-on. Its PCI function (configuration space,
   * interrupts) goes on in both cases as long as it has the shape that it had.
   */
  readonly state: 'carried' | 'reset'
  /** Why it was reset, in words; undefined where it was not. */
  readonly reason?: string
  /** For how long the guest's accesses were held back. */
  readonly durationMs: number
}

/** How long each step may take. The guest waits for all of them. */
const ACCESS_MS = 1000
const SAVE_MS = 2000
const CLOSE_MS = 5000
const START_MS = 10_000

/**
 * The place of a device whose code can be exchanged while a client uses it. To everybody else it is the device.
 *
 * ```
 *   hold accesses ─► save ─► memory away ─► close ─► start ─► restore ─► memory back ─► let accesses through
 *                    └───────── old code ────────┘   └────── new code ──────┘
 *                                                       fails? the old code again, with what was saved
 * ```
 */
export class DeviceSlot implements Device {
  readonly function = new ExchangeableFunction()
  readonly #surroundings: DeviceSurroundings
  readonly #type: string
  readonly #logger: Logger
  readonly #recorder: Recorder
  /** Undefined while the device is off its bus since no code would start. */
  #code: DeviceCode | undefined
  /** What the next code goes on from, while there is none. */
  #kept: SavedState | undefined = undefined
  #shape: FunctionShape = new Map()
  #endpoint: HostedEndpoint | undefined = undefined
  /** The end of the exchange that was asked for last. */
  #last: Promise<unknown> = Promise.resolve()
  #isSwapping = false
  #hasClientGone = false
  #isClosing = false

  private constructor (surroundings: DeviceSurroundings, code: DeviceCode, logger: Logger, recorder: Recorder) {
    this.#surroundings = surroundings
    this.#type = code.contribution.value.name
    this.#code = code
    this.#logger = logger
    this.#recorder = recorder
  }

  static async build (
    surroundings: DeviceSurroundings,
    contribution: OwnedContribution<DeviceContribution>,
    { logger, recorder }: { readonly logger: Logger, readonly recorder: Recorder }
  ): Promise<DeviceSlot> {
    return new DeviceSlot(surroundings, await DeviceCode.build(surroundings, contribution), logger, recorder)
  }

  async start (): Promise<void> {
    if (this.#code === undefined) return
    this.#put(await this.#code.start())
    this.#code.open()
  }

  /** From now on clients come through this endpoint. */
  serve (endpoint: HostedEndpoint): void {
    this.#endpoint = endpoint
  }

  clientGone (): void {
    if (this.#isSwapping) this.#hasClientGone = true
    else this.#code?.device.clientGone?.()
  }

  /** Resolves when no exchange is under way, and none can follow. */
  async stop (): Promise<void> {
    this.#isClosing = true
    await this.#last
  }

  async close (): Promise<void> {
    this.#surroundings.memory?.prune()
  }

  takeOffBus (error: unknown): void {
    this.#endpoint?.function.break(error, 'a turn of its own')
  }

  /** Exchanges the code, after those exchanges that were asked for before. */
  swap (plugin: Plugin): Promise<SwapOutcome> {
    const swap = this.#last.then(() => this.#swap(plugin))
    this.#last = swap.catch(() => undefined)
    return swap
  }

  async #swap (plugin: Plugin): Promise<SwapOutcome> {
    if (this.#isClosing) throw refuseClosed(this.#surroundings.name)
    const next = await DeviceCode.build(this.#surroundings, deviceTypeOf(plugin, this.#type))
    this.#isSwapping = true
    try {
      this.#assertFits(next)
      const outcome = await this.#exchange(next)
      this.#recorder.record({ type: 'swap', state: outcome.state, durationMs: outcome.durationMs })
      return outcome
    } finally {
      if (next !== this.#code) await this.#discard(next)
      this.#surroundings.memory?.prune()
      if (this.#endpoint !== undefined) this.#endpoint.isChanging = false
      this.#isSwapping = false
      if (this.#hasClientGone) this.#code?.device.clientGone?.()
      this.#hasClientGone = false
    }
  }

  async #exchange (next: DeviceCode): Promise<SwapOutcome> {
    const startMs = performance.now()
    await this.function.hold(ACCESS_MS)
    const before = this.#code
    try {
      const saved = before === undefined ? this.#kept : await this.#retire(before)
      const reason = await this.#install(next, saved).catch(async (error: unknown) => {
        await this.#discard(next)
        return this.#rollBack(before, saved, error)
      })
      const durationMs = performance.now() - startMs
      return reason === undefined ? { state: 'carried', durationMs } : { state: 'reset', reason, durationMs }
    } finally {
      this.function.letGo()
    }
  }

  /** Saves what there is to save, and ends the code. */
  async #retire (code: DeviceCode): Promise<SavedState> {
    const { device } = code
    let saved: SavedState = { device: undefined, function: undefined, reason: 'the code before has no save()' }
    if (device.save !== undefined) {
      try {
        saved = { device: structuredClone(await inTime(device.save(), SAVE_MS, 'save()')), function: undefined }
      } catch (error) {
        this.#logger.warn({ err: error }, 'save() of the code before failed, so the device is reset')
        saved = { ...saved, reason: `save() of the code before failed: ${messageOf(error)}` }
      }
    }
    saved = { ...saved, function: this.#saveFunction(device.function) }
    this.function.take()
    code.shut()
    this.#code = undefined
    await this.#discard(code)
    await this.#surroundings.dma.drain()
    return saved
  }

  #saveFunction (pci: PciFunction): SavedState['function'] {
    try {
      if (pci.save !== undefined) return structuredClone(pci.save())
      this.#logger.warn({}, 'The PCI function of the code before has no save(), so its registers are reset')
    } catch (error) {
      this.#logger.warn({ err: error }, 'save() of the PCI function failed, so its registers are reset')
    }
    return undefined
  }

  /** Brings a code to life, as far as that goes from what was saved. Returns why the device was reset, if it was. */
  async #install (code: DeviceCode, saved: SavedState | undefined): Promise<string | undefined> {
    if (this.#reasonToReset(code, saved) !== undefined) this.#surroundings.memory?.clear()
    const pci = await inTime(code.start(), START_MS, 'start()')
    this.#assertFits(code)
    const reason = this.#reasonToReset(code, saved)
    const isSameShape = differencesOf(this.#shape, shapeOf(pci)).length === 0
    try {
      if (isSameShape && saved?.function !== undefined) pci.restore?.(structuredClone(saved.function))
      this.#put(pci)
      if (reason === undefined && saved?.device !== undefined) {
        await inTime(code.device.restore?.(structuredClone(saved.device)), START_MS, 'restore()')
      }
    } catch (error) {
      this.function.take()
      throw error
    }
    code.open()
    this.#code = code
    this.#kept = undefined
    this.#endpoint?.function.mend()
    return reason
  }

  /** Puts the old code back. Always rejects: with what became of it. */
  async #rollBack (before: DeviceCode | undefined, saved: SavedState | undefined, error: unknown): Promise<never> {
    let reason: string | undefined
    try {
      if (before === undefined) throw error
      const again = await DeviceCode.build(this.#surroundings, before.contribution)
      try {
        reason = await this.#install(again, saved)
      } finally {
        if (again !== this.#code) await this.#discard(again)
      }
    } catch (second) {
      this.#kept = saved
      throw swapFailure(this.#surroundings.name, before === undefined ? [error] : [error, second], 'off its bus')
    }
    if (isPcikitError(error, 'PCIKIT_SWAP_SHAPE_DIFFERS')) throw error
    throw swapFailure(this.#surroundings.name, [error], reason === undefined ? 'as it was' : 'reset')
  }

  #reasonToReset (code: DeviceCode, saved: SavedState | undefined): string | undefined {
    if (saved === undefined) return 'there is no state'
    if (saved.device === undefined) return saved.reason ?? 'there is no state'
    if (code.device.restore === undefined) return 'the new code has no restore()'
    const differences = code.function === undefined ? [] : differencesOf(this.#shape, shapeOf(code.function))
    return differences.length === 0 ? undefined : `it is another PCI function now: ${differences.join('; ')}`
  }

  /** Throws where a client would find another function than it was told of. Without one it keeps clients away. */
  #assertFits (code: DeviceCode): void {
    const pci = code.function
    const differences = pci === undefined ? [] : differencesOf(this.#shape, shapeOf(pci))
    const isKnown = pci !== undefined && differences.length === 0
    if (isKnown || this.#endpoint === undefined) return
    if (!this.#endpoint.isConnected) this.#endpoint.isChanging = true
    else if (differences.length > 0) throw refuseShape(this.#surroundings.name, differences)
  }

  #put (pci: PciFunction): void {
    this.function.put(pci)
    this.#shape = shapeOf(pci)
  }

  async #discard (code: DeviceCode): Promise<void> {
    if (code.isClosed) return
    try {
      await inTime(code.close(), CLOSE_MS, 'close()')
    } catch (error) {
      this.#logger.warn({ err: error }, 'A code of the device did not close as it should')
    }
  }
}

async function inTime<T> (work: T | Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const promise = Promise.resolve(work)
  if (await endsWithin(promise, timeoutMs)) return promise
  throw new PcikitError('PCIKIT_SWAP_FAILED', `${what} did not end within ${timeoutMs} ms.`)
}

function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
