import { RegionIndex } from '@pcikit/core'
import type { DmaSpace, IrqTrigger, Logger, RecordEvent, SharedMemory } from '@pcikit/core'
import type { VirtioDescription, VirtioModel } from '../../src/index.js'
import { VirtioPciDevice } from '../../src/transport/pci-device.js'
import { FakeEngine } from './fake-engine.js'

/** Offsets of the common configuration. [virtio] "Common configuration structure layout". */
export const Common = Object.freeze({
  DEVICE_FEATURE_SELECT: 0x00,
  DEVICE_FEATURE: 0x04,
  DRIVER_FEATURE_SELECT: 0x08,
  DRIVER_FEATURE: 0x0c,
  CONFIG_MSIX_VECTOR: 0x10,
  NUM_QUEUES: 0x12,
  DEVICE_STATUS: 0x14,
  CONFIG_GENERATION: 0x15,
  QUEUE_SELECT: 0x16,
  QUEUE_SIZE: 0x18,
  QUEUE_MSIX_VECTOR: 0x1a,
  QUEUE_ENABLE: 0x1c,
  QUEUE_NOTIFY_OFF: 0x1e,
  QUEUE_DESC: 0x20,
  QUEUE_DRIVER: 0x28,
  QUEUE_DEVICE: 0x30,
  QUEUE_NOTIF_CONFIG_DATA: 0x38,
  QUEUE_RESET: 0x3a,
  ADMIN_QUEUE_INDEX: 0x3c,
  ADMIN_QUEUE_NUM: 0x3e
})

export const ISR = 0x1000
export const DEVICE = 0x2000
export const NOTIFY = 0x3000

export const Status = Object.freeze({
  ACKNOWLEDGE: 1,
  DRIVER: 2,
  DRIVER_OK: 4,
  FEATURES_OK: 8,
  NEEDS_RESET: 64,
  FAILED: 128
})

/** Feature bits 32 and up, as bits of their word. */
export const High = Object.freeze({
  VERSION_1: 1 << 0,
  RING_PACKED: 1 << 2,
  NOTIFICATION_DATA: 1 << 6,
  RING_RESET: 1 << 8
})

const COMMAND = 0x04

/** Turns of the event loop in which everything that can run has run. */
export async function settle (): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

/** A trigger that counts. */
export class CountingTrigger implements IrqTrigger {
  count = 0

  signal (): void {
    this.count++
  }

  close (): void {
    // Nothing is behind it.
  }
}

/** A device on fakes, and the driver's access to it. */
export class Harness {
  readonly device: VirtioPciDevice
  readonly engine: FakeEngine
  /** Everything that happened, in order, besides the calls of the engine. */
  readonly log: string[] = []
  readonly events: RecordEvent[] = []
  readonly closedPages: SharedMemory[] = []
  readonly pages: SharedMemory[] = []
  /** Ends the drain that is waited for, when `holdsDrain` is set. */
  finishDrain: () => void = () => undefined
  holdsDrain = false
  isBusMaster = false
  readonly #view = new DataView(new ArrayBuffer(8))

  constructor (
    description: Partial<VirtioDescription> = {},
    model: Partial<VirtioModel> = {},
    withSharedMemory = true
  ) {
    const engines: FakeEngine[] = []
    const logger = this.#createLogger()
    this.device = new VirtioPciDevice(
      { deviceType: 4, classCode: 0x00_ff_00, queues: [{ entriesMax: 256 }, { entriesMax: 64 }], ...description },
      {
        name: 'test',
        dma: { drain: () => this.#drain() } as unknown as DmaSpace,
        busMaster: {
          setBusMaster: enabled => {
            this.isBusMaster = enabled
          }
        },
        recorder: { record: event => void this.events.push(event) },
        logger,
        ...withSharedMemory ? { sharedMemory: { create: (_name, byteLength) => this.#createPage(byteLength) } } : {}
      },
      { take: () => undefined, ...model },
      surroundings => {
        const engine = new FakeEngine(surroundings)
        engines.push(engine)
        return engine
      }
    )
    this.engine = engines[0]!
  }

  /** Reads the BAR of the structures. */
  read (offset: number, size: 1 | 2 | 4): number {
    return this.readRegion(RegionIndex.BAR4, offset, size)
  }

  write (offset: number, size: 1 | 2 | 4, value: number): void | Promise<void> {
    return this.writeRegion(RegionIndex.BAR4, offset, size, value)
  }

  config (offset: number, size: 1 | 2 | 4): number {
    return this.readRegion(RegionIndex.CONFIG, offset, size)
  }

  writeConfig (offset: number, size: 1 | 2 | 4, value: number): void | Promise<void> {
    return this.writeRegion(RegionIndex.CONFIG, offset, size, value)
  }

  readRegion (region: RegionIndex, offset: number, size: 1 | 2 | 4): number {
    this.#view.setUint32(0, 0)
    void this.device.function.readRegion(region, offset, this.#view, 0, size)
    return this.#view.getUint32(0, true)
  }

  writeRegion (region: RegionIndex, offset: number, size: 1 | 2 | 4, value: number): void | Promise<void> {
    this.#view.setUint32(0, value, true)
    return this.device.function.writeRegion(region, offset, this.#view, 0, size)
  }

  get status (): number {
    return this.read(Common.DEVICE_STATUS, 1)
  }

  setStatus (value: number): void | Promise<void> {
    return this.write(Common.DEVICE_STATUS, 1, value)
  }

  /** Accepts features by words, VERSION_1 alone unless given, up to FEATURES_OK. */
  negotiate (low = 0, high: number = High.VERSION_1): void {
    void this.setStatus(Status.ACKNOWLEDGE)
    void this.setStatus(Status.ACKNOWLEDGE | Status.DRIVER)
    this.accept(0, low)
    this.accept(1, high)
    void this.setStatus(Status.ACKNOWLEDGE | Status.DRIVER | Status.FEATURES_OK)
  }

  accept (select: number, word: number): void {
    void this.write(Common.DRIVER_FEATURE_SELECT, 4, select)
    void this.write(Common.DRIVER_FEATURE, 4, word >>> 0)
  }

  offered (select: number): number {
    void this.write(Common.DEVICE_FEATURE_SELECT, 4, select)
    return this.read(Common.DEVICE_FEATURE, 4)
  }

  select (queue: number): void {
    void this.write(Common.QUEUE_SELECT, 2, queue)
  }

  /** Sets a queue up below 4 GiB and enables it. */
  enableQueue (queue: number, base = 0x10000): void {
    this.select(queue)
    this.setAddress(Common.QUEUE_DESC, base)
    this.setAddress(Common.QUEUE_DRIVER, base + 0x4000)
    this.setAddress(Common.QUEUE_DEVICE, base + 0x8000)
    void this.write(Common.QUEUE_ENABLE, 2, 1)
  }

  setAddress (field: number, iova: number): void {
    void this.write(field, 4, iova % 2 ** 32)
    void this.write(field + 4, 4, Math.floor(iova / 2 ** 32))
  }

  /** All that it takes to a device that works, with queue 0. */
  start (low = 0, high: number = High.VERSION_1): void {
    this.negotiate(low, high)
    this.enableQueue(0)
    void this.setStatus(this.status | Status.DRIVER_OK)
  }

  /** Assigns triggers to the vectors from 0 on, and enables MSI-X and bus mastering. */
  enableMsix (count: number): CountingTrigger[] {
    const triggers = Array.from({ length: count }, () => new CountingTrigger())
    this.device.function.interrupts.assign(2, 0, triggers)
    void this.writeConfig(COMMAND, 2, 0x6)
    void this.writeConfig(this.capability(0x11) + 2, 2, 0x8000)
    return triggers
  }

  /** Assigns a trigger to the pin. */
  enableIntx (): CountingTrigger {
    const trigger = new CountingTrigger()
    this.device.function.interrupts.assign(0, 0, [trigger])
    return trigger
  }

  /** Where the first capability with an ID is. */
  capability (id: number): number {
    return this.capabilities().find(offset => this.config(offset, 1) === id)!
  }

  capabilities (): number[] {
    const offsets: number[] = []
    for (let at = this.config(0x34, 1); at !== 0; at = this.config(at + 1, 1)) offsets.push(at)
    return offsets
  }

  /** The virtio capability of a type, by cfg_type. */
  structure (type: number): number | undefined {
    return this.capabilities().find(at => this.config(at, 1) === 0x09 && this.config(at + 3, 1) === type)
  }

  #drain (): Promise<void> {
    this.log.push('drain')
    if (!this.holdsDrain) return Promise.resolve()
    return new Promise(resolve => {
      this.finishDrain = resolve
    })
  }

  #createPage (byteLength: number): SharedMemory {
    const page = { descriptor: 42, bytes: new Uint8Array(byteLength), close: () => void this.closedPages.push(page) }
    this.pages.push(page)
    return page
  }

  #createLogger (): Logger {
    const line = (level: string) => (_details: unknown, message: string) => void this.log.push(`${level}: ${message}`)
    return {
      trace: () => undefined,
      debug: () => undefined,
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      fatal: line('fatal'),
      child: () => this.#createLogger()
    }
  }
}
