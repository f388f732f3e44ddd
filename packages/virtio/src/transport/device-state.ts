import { AssertionError, endsWithin } from '@pcikit/core'
import type { DmaSpace, Logger } from '@pcikit/core'
import type { VirtqueueChain } from '../chain.js'
import type { VirtioModel } from '../device-model.js'
import { FEATURE_WORDS, FeatureSet, VirtioFeature } from '../feature.js'
import type { QueueEngine, QueueEvents, VirtqueueFeatures } from '../queue/queue-engine.js'
import { DeviceStatus } from './device-status.js'
import { NO_VECTOR } from './interrupt-sender.js'
import type { InterruptSender } from './interrupt-sender.js'
import type { QueueSetup } from './queue-setup.js'

/** How long the answer to a reset is held back for drivers that do not wait for it. Clients wait for 5 s. */
const RESET_ANSWER_MS = 2000
/** How long closing waits for chains that are stuck. */
export const CLOSE_STEP_MS = 2000

/** What the state machine works with. */
export interface DeviceStateParts {
  readonly logger: Logger
  readonly dma: Pick<DmaSpace, 'drain'>
  readonly model: VirtioModel
  readonly offered: FeatureSet
  readonly queues: readonly QueueSetup[]
  readonly sender: InterruptSender
  createEngine(events: QueueEvents): QueueEngine
  /** Registers that are not kept here go back to the state of power-on. */
  onReset(): void
}

/**
 * The state machine of a device. [virtio] "Device Status Field", "Device Initialization", "Device Reset".
 *
 * ```
 *   0 ─► ACKNOWLEDGE ─► DRIVER ─► FEATURES_OK ─► DRIVER_OK: queues are served ─► NEEDS_RESET
 *   ▲                                │ refused: stays clear                          │
 *   └── no DMA can follow, the model is done ◄── device_status=0, or any reset ◄─────┘
 * ```
 */
export class DeviceState {
  /** What the driver wrote to driver_feature. */
  readonly accepted = new FeatureSet()
  /** What was negotiated; empty before FEATURES_OK. */
  readonly features = new FeatureSet()
  readonly #parts: DeviceStateParts
  readonly #engine: QueueEngine
  #queueFeatures: VirtqueueFeatures = queueFeatures(this.features)
  #status = 0
  /** The end of the reset that is under way. */
  #reset: Promise<void> | undefined = undefined
  /** Counts resets, for what was under way before one. */
  #epoch = 0
  #isServing = false
  #isClosed = false

  constructor (parts: DeviceStateParts) {
    this.#parts = parts
    this.#engine = parts.createEngine({
      take: chain => this.#take(chain),
      interrupt: queueIndex => parts.sender.queueUsed(queueIndex),
      broken: reason => this.fail(reason),
      poll: mayWait => this.#poll(mayWait)
    })
  }

  /** device_status. While a reset is under way it is what it was before. */
  get status (): number {
    return this.#status
  }

  get offered (): FeatureSet {
    return this.#parts.offered
  }

  get isPacked (): boolean {
    return this.#queueFeatures.isPacked
  }

  /** Whether the driver has negotiated, and may go on. */
  get hasFeatures (): boolean {
    return this.#isSet(DeviceStatus.FEATURES_OK) && this.#mayChange
  }

  /** Whether a feature was negotiated. */
  has (feature: number): boolean {
    return this.features.has(feature)
  }

  /** The driver writes driver_feature. Nothing is added once FEATURES_OK is set. */
  accept (select: number, word: number): void {
    if (this.#mayChange && !this.#isSet(DeviceStatus.FEATURES_OK)) this.accepted.setWord(select, word)
  }

  /**
   * The driver writes device_status. Bits are set in their order only, and none is cleared but by a reset:
   * [virtio] "Device Status Field": "The driver MUST NOT clear a device status bit". Some drivers go on after a reset
   * without looking whether it has ended, so its answer waits for that, within reason.
   */
  writeStatus (value: number): void | Promise<void> {
    if (value === 0) return this.reset()
    if (!this.#mayChange) return
    const added = value & ~this.#status
    if ((added & DeviceStatus.FAILED) !== 0) {
      this.#status |= DeviceStatus.FAILED
      this.#stopServing()
    }
    if ((added & DeviceStatus.ACKNOWLEDGE) !== 0) this.#status |= DeviceStatus.ACKNOWLEDGE
    if ((added & DeviceStatus.DRIVER) !== 0 && this.#isSet(DeviceStatus.ACKNOWLEDGE)) {
      this.#status |= DeviceStatus.DRIVER
    }
    if ((added & DeviceStatus.FEATURES_OK) !== 0 && this.#isSet(DeviceStatus.DRIVER) && this.#negotiate()) {
      this.#status |= DeviceStatus.FEATURES_OK
    }
    if ((added & DeviceStatus.DRIVER_OK) !== 0 && this.#isSet(DeviceStatus.FEATURES_OK)) this.#start()
  }

  /** The driver writes 1 to queue_enable. */
  enableQueue (queue: QueueSetup): void {
    if (!this.#mayChange || !queue.isOpen || this.#isSet(DeviceStatus.NEEDS_RESET)) return
    if (!this.#isSet(DeviceStatus.FEATURES_OK)) {
      this.fail(`queue ${queue.index} was enabled before features were negotiated`)
      return
    }
    const place = queue.place(this.isPacked)
    if (typeof place === 'string') {
      this.fail(place)
      return
    }
    queue.isEnabled = true
    this.#engine.enable(queue.index, place, this.#queueFeatures)
  }

  /**
   * The driver writes 1 to queue_reset. [virtio] "Virtqueue Reset": "The device MUST reset any state of a virtqueue to
   * the default state".
   */
  resetQueue (queue: QueueSetup): void {
    if (!this.#mayChange || queue.isResetting) return
    if (!queue.isEnabled) {
      this.#forgetQueue(queue)
      return
    }
    queue.isResetting = true
    const epoch = this.#epoch
    this.#engine.resetQueue(queue.index).then(() => {
      if (epoch === this.#epoch) this.#forgetQueue(queue)
    }, (error: unknown) => this.#blame(error, 'the reset of a queue failed'))
  }

  /** The driver notifies a queue. Numbers of queues that there are not mean nothing. */
  notify (queueIndex: number): void {
    if (this.#isServing && queueIndex < this.#parts.queues.length) this.#engine.notify(queueIndex)
  }

  /** Fields of the configuration changed. Nobody is told before DRIVER_OK. */
  configChanged (): void {
    if (this.#isSet(DeviceStatus.DRIVER_OK) && this.#mayChange) this.#parts.sender.configChanged()
  }

  /** [virtio] "Device Status Field": after DRIVER_OK, whoever sets DEVICE_NEEDS_RESET also sends a notification. */
  fail (reason: string, error?: unknown): void {
    if (!this.#mayChange || this.#isSet(DeviceStatus.NEEDS_RESET)) return
    this.#status |= DeviceStatus.NEEDS_RESET
    this.#stopServing()
    this.#parts.logger.error(error === undefined ? {} : { err: error }, `the device needs a reset: ${reason}`)
    this.configChanged()
  }

  /** Calls what may throw: what the author of the device wrote. */
  guard (what: string, call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#blame(error, `${what} threw`)
    }
  }

  /**
   * Puts everything in the state of power-on. The end of it is device_status 0: no DMA can follow, and the model is
   * done. What is returned resolves then, or when that takes too long to be waited for; undefined: at once.
   */
  reset (): Promise<void> | undefined {
    if (this.#isClosed) return undefined
    if (this.#reset === undefined) this.#beginReset()
    return this.#reset === undefined ? undefined : this.#awaitReset(this.#reset)
  }

  /** Nothing is served until a client notifies or resets. Registers keep their values. */
  clientGone (): void {
    if (!this.#isClosed) this.#engine.suspend()
  }

  async close (): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopServing()
    this.#engine.reset()
    const { dma, logger } = this.#parts
    const isReset = this.#status === 0 ? undefined : this.#reset ?? this.#resetModel()
    await dma.drain()
    if (!await endsWithin(Promise.all([isReset, this.#engine.whenIdle()]), CLOSE_STEP_MS)) {
      logger.error({}, 'the device is stuck with buffers that its driver gave it; they are given up')
    }
    this.#engine.close()
  }

  /** Whether the driver may change anything: not in the middle of a reset. */
  get #mayChange (): boolean {
    return this.#reset === undefined && !this.#isClosed
  }

  #isSet (bit: number): boolean {
    return (this.#status & bit) !== 0
  }

  #start (): void {
    this.#status |= DeviceStatus.DRIVER_OK
    if (this.#isSet(DeviceStatus.NEEDS_RESET)) this.configChanged()
    else if (!this.#isSet(DeviceStatus.FAILED)) {
      this.#isServing = true
      this.#engine.start()
    }
  }

  #stopServing (): void {
    this.#isServing = false
    this.#engine.halt()
  }

  #negotiate (): boolean {
    for (let select = 0; select < FEATURE_WORDS; select++) this.features.setWord(select, this.accepted.word(select))
    const refusal = this.#refusal()
    if (refusal === undefined) {
      this.#queueFeatures = queueFeatures(this.features)
      return true
    }
    this.features.clear()
    this.#parts.logger.warn({}, `the features that the driver accepted are refused: ${refusal}`)
    return false
  }

  #refusal (): string | undefined {
    if (!this.features.isWithin(this.offered)) return 'some were not offered'
    if (!this.features.has(VirtioFeature.VERSION_1)) return 'it is a driver for legacy devices, without VERSION_1'
    try {
      return this.#parts.model.negotiated?.(this.features)
    } catch (error) {
      this.#blame(error, 'negotiated() threw')
      return 'the device failed over them'
    }
  }

  #beginReset (): void {
    // Before a driver, nothing runs.
    const isRunning = this.#status !== 0
    this.#epoch++
    this.#isServing = false
    if (isRunning) this.#engine.reset()
    for (const queue of this.#parts.queues) queue.reset()
    this.accepted.clear()
    this.features.clear()
    this.#queueFeatures = queueFeatures(this.features)
    this.#parts.onReset()
    if (!isRunning) return
    this.#reset = Promise.all([this.#resetModel(), this.#parts.dma.drain()]).then(() => {
      this.#status = 0
      this.#reset = undefined
    })
  }

  async #resetModel (): Promise<void> {
    try {
      await this.#parts.model.reset?.()
    } catch (error) {
      this.#parts.logger.error({ err: error }, 'reset() of the device threw')
    }
  }

  async #awaitReset (reset: Promise<void>): Promise<void> {
    if (await endsWithin(reset, RESET_ANSWER_MS)) return
    this.#parts.logger.error({}, 'the device is stuck in its reset; until that ends its status does not read as 0')
  }

  #forgetQueue (queue: QueueSetup): void {
    queue.reset()
    this.#parts.sender.setQueueVector(queue.index, NO_VECTOR)
  }

  #take (chain: VirtqueueChain): void {
    try {
      this.#parts.model.take(chain)
    } catch (error) {
      this.#blame(error, 'take() threw')
    }
  }

  #poll (mayWait: boolean): boolean {
    try {
      return this.#parts.model.poll?.(mayWait) ?? false
    } catch (error) {
      this.#blame(error, 'poll() threw')
      return false
    }
  }

  #blame (error: unknown, what: string): void {
    this.fail(error instanceof AssertionError ? `an assertion of ours failed (${what})` : what, error)
  }
}

function queueFeatures (features: FeatureSet): VirtqueueFeatures {
  return {
    isPacked: features.has(VirtioFeature.RING_PACKED),
    hasIndirect: features.has(VirtioFeature.INDIRECT_DESC),
    hasEventIndex: features.has(VirtioFeature.EVENT_IDX),
    isInOrder: features.has(VirtioFeature.IN_ORDER)
  }
}
