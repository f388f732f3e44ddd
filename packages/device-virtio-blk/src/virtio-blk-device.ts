import { LateRanges, openBlockBackend, watchSize } from '@pcikit/block'
import type { BlockBackend } from '@pcikit/block'
import { assert, endsWithin } from '@pcikit/core'
import type {
  BusMasterSwitch,
  Device,
  DeviceIdentity,
  DmaSpace,
  EventLoopView,
  Extensions,
  Logger,
  PciFunction,
  Recorder,
  SharedMemoryFactory,
  Subscription
} from '@pcikit/core'
import { createVirtioDevice, FeatureSet, VirtioDeviceType } from '@pcikit/virtio'
import type { VirtioDescription, VirtioDevice } from '@pcikit/virtio'
import { BlockConfig } from './block-config.js'
import type { BlockRequest } from './block-request.js'
import { Disk } from './disk.js'
import { offeredFeatures, withoutFeatures } from './features.js'
import { lifetimeBytes, physicalBlockSize, segMax } from './options.js'
import type { VirtioBlkOptions } from './options.js'
import { ID_BYTES, SECTOR_BYTES } from './protocol.js'
import { StatusBytes } from './status-bytes.js'
import { VirtioBlkModel } from './virtio-blk-model.js'
import { openZones } from './zones/open-zones.js'
import type { Zones } from './zones/zones.js'

/** [PCIe] "Class Code": mass storage, SCSI, as virtio block devices have always said. */
const CLASS_CODE = 0x01_00_00
/** How long at most closing waits for storage, in each of its steps, in milliseconds. */
export const CLOSE_STEP_MS = 5000
/** Bytes of a piece of memory where the driver is told no limit. */
const SEGMENT_BYTES_MAX = 0x8000_0000

/** What the device is built with. */
export interface VirtioBlkServices {
  readonly identity: DeviceIdentity
  readonly dma: DmaSpace
  readonly busMaster: BusMasterSwitch
  readonly recorder: Recorder
  readonly logger: Logger
  readonly extensions: Extensions
  /** Only for `doorbells: 'mmap'`. */
  readonly sharedMemory?: SharedMemoryFactory | undefined
  /** The same. */
  readonly eventLoop?: EventLoopView | undefined
}

/** What runs between start and close. */
interface Running {
  readonly virtio: VirtioDevice
  readonly statusBytes: StatusBytes
  readonly size: Subscription
}

/** The virtio block device: its PCI function, its back end, and its life. */
export class VirtioBlkDevice implements Device {
  readonly #options: VirtioBlkOptions
  readonly #services: VirtioBlkServices
  #backend: BlockBackend | undefined = undefined
  #zones: Zones | undefined = undefined
  #running: Running | undefined = undefined

  constructor (options: VirtioBlkOptions, services: VirtioBlkServices) {
    this.#options = options
    this.#services = services
  }

  /** What it offers depends on its back end, so it is there once the device started. */
  get function (): PciFunction {
    assert(this.#running !== undefined, 'a virtio block device has a function from its start to its end')
    return this.#running.virtio.function
  }

  /** Opens the back end, and the device over it. */
  async start (): Promise<void> {
    const { zoned, blockSize, backend: spec, sizeMax } = this.#options
    const { extensions, logger } = this.#services
    const backend = await openBlockBackend(extensions, spec, { blockSize, logger })
    this.#backend = backend
    if (zoned !== undefined) {
      const transferBytesMax = segMax(this.#options) * (sizeMax ?? SEGMENT_BYTES_MAX)
      this.#zones = await openZones(zoned, backend, Math.floor(transferBytesMax / SECTOR_BYTES))
    }
    this.#running = this.#run(new Disk(backend, this.#options.readOnly), this.#zones)
  }

  clientGone (): void {
    this.#running?.statusBytes.clientGone()
    this.#running?.virtio.clientGone()
  }

  /** The back end is closed, also when something else fails to or is stuck. */
  async close (): Promise<void> {
    const running = this.#running
    const failures: unknown[] = []
    running?.size.close()
    running?.statusBytes.close()
    await running?.virtio.close().catch((error: unknown) => failures.push(error))
    this.#running = undefined
    const steps = [
      running === undefined ? undefined : () => this.#flush(),
      () => this.#backend?.[Symbol.asyncDispose]()
    ]
    for (const step of steps) await this.#within(async () => step?.(), failures)
    this.#backend = this.#zones = undefined
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures)
  }

  #run (disk: Disk, zones: Zones | undefined): Running {
    const { identity, ...services } = this.#services
    const { faultPolicy, graceMs, resizeCheckMs } = this.#options
    const { logger } = services
    // Nothing fails before there is a driver.
    const fail = (reason: string): void => virtio.fail(reason)
    const statusBytes = new StatusBytes({ dma: services.dma, faultPolicy, graceMs, fail })
    const config = this.#config(disk, zones)
    const model = new VirtioBlkModel({
      disk,
      config,
      zones,
      logger,
      statusBytes,
      fail,
      features: new FeatureSet(),
      late: new LateRanges<BlockRequest>(),
      id: idBytes(this.#options.serial),
      lifetime: lifetimeBytes(this.#options)
    })
    const virtio: VirtioDevice = createVirtioDevice(
      this.#describe(disk, config),
      { ...services, name: identity.name },
      model
    )
    const onChange = (): void => {
      logger.info({ sectors: disk.sectorCount }, `the disk has ${disk.sectorCount} sectors now`)
      config.sizeChanged()
      virtio.configChanged()
    }
    // The number of zones does not change.
    const everyMs = zones === undefined ? resizeCheckMs : 0
    return { virtio, statusBytes, size: watchSize(disk.backend, { everyMs, logger, onChange }) }
  }

  #config (disk: Disk, zones: Zones | undefined): BlockConfig {
    const { queues, sizeMax, minimumIo, optimalIo, writeCache } = this.#options
    return new BlockConfig({
      disk,
      offered: new FeatureSet(offeredFeatures(this.#options, disk)),
      queues,
      segMax: segMax(this.#options),
      sizeMax: sizeMax ?? 0,
      physicalBlockSize: physicalBlockSize(this.#options),
      minimumIo,
      optimalIo,
      writeCache,
      zoned: zones?.characteristics
    })
  }

  #describe (disk: Disk, config: BlockConfig): VirtioDescription {
    const { queues, queueEntries, msixVectors, faultPolicy, graceMs } = this.#options
    const { doorbells, watchUs, pollSocketUs, pollIdleUs, pollBackOffMs } = this.#options
    return {
      deviceType: VirtioDeviceType.BLOCK,
      classCode: CLASS_CODE,
      features: offeredFeatures(this.#options, disk),
      withoutFeatures: withoutFeatures(this.#options),
      interruptModeration: this.#options.interruptModeration,
      queues: Array.from({ length: queues }, () => ({ entriesMax: queueEntries })),
      config,
      ...msixVectors === undefined ? {} : { msixVectors },
      faultPolicy,
      graceMs,
      times: { doorbells, watchUs, pollSocketUs, pollIdleUs, pollBackOffMs }
    }
  }

  #flush (): void | Promise<void> {
    if (this.#zones !== undefined) return this.#zones[Symbol.asyncDispose]()
    return this.#backend?.hasVolatileCache === true ? this.#backend.flush() : undefined
  }

  /** Waits for a step of closing, but not for ever. */
  async #within (step: () => Promise<void>, failures: unknown[]): Promise<void> {
    const work = step().catch((error: unknown) => failures.push(error))
    if (await endsWithin(work, CLOSE_STEP_MS)) return
    this.#services.logger.error({}, 'the back end is stuck; what was written last may be lost')
  }
}

/** "If the string is 20 bytes long then there is no NUL terminator." [virtio] "Block Device", "Device Operation". */
function idBytes (serial: string): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES)
  new TextEncoder().encodeInto(serial, bytes)
  return bytes
}
