import { PolledLoad, PollingInitiator } from '@pcikit/testkit'
import { DeviceProcess } from '../processes/device-process.js'
import type { DeviceProcessOptions, DeviceType } from '../processes/device-process.js'
import { PolledBlkDriver } from '../virtio/polled-blk-driver.js'

const MIB = 1024 * 1024
const BLOCK_BYTES = 512
const DISK_BYTES = 256 * MIB
/** Room for the buffers of all loads. */
const MEMORY_BYTES = 128 * MIB

/** What a polled device is made of. */
export interface PolledDeviceOptions extends Partial<DeviceProcessOptions> {
  readonly type?: DeviceType
  /** The device is in this folder already, and is not ended here. */
  readonly device?: DeviceProcess
  readonly backend?: string
}

/** What a queue is kept full with. */
export interface PolledTransfers {
  readonly queueDepth: number
  readonly transferBytes: number
  /** How much of the disk is used, from its start on, in bytes. */
  readonly diskBytes: number
}

/** A driver that polls. */
export interface PolledDriver {
  /** Adds a queue with what keeps it full. */
  load(transfers: PolledTransfers): Promise<PolledLoad>
  leave(): Promise<void>
}

/** A device in a process of its own that polls its queues, and a driver here that polls what comes back. */
export class PolledDevice implements AsyncDisposable {
  readonly device: DeviceProcess
  readonly #driver: PolledDriver
  #isEnded = false

  private constructor (device: DeviceProcess, driver: PolledDriver) {
    this.device = device
    this.#driver = driver
  }

  static async start (options: PolledDeviceOptions = {}): Promise<PolledDevice> {
    const { type = 'nvme', backend = `memory:${DISK_BYTES}` } = options
    const device = options.device ??
      await DeviceProcess.run(type, ['--backend', backend, '--doorbells', 'mmap'], options)
    const driver = type === 'nvme' ?
      await PolledNvmeDriver.attach(device) :
      await PolledBlkDriver.attach(device, MEMORY_BYTES)
    return new PolledDevice(device, driver)
  }

  /** Adds a queue with what keeps it full. A virtio device has one at a time. */
  async load (transfers: Omit<PolledTransfers, 'diskBytes'>): Promise<PolledLoad> {
    return this.#driver.load({ diskBytes: DISK_BYTES, ...transfers })
  }

  /** Writes the whole disk. */
  async fill (): Promise<void> {
    const load = await this.load({ queueDepth: 32, transferBytes: 128 * 1024 })
    load.fill(7)
    await load.close()
  }

  /** The driver goes, and the device is asked to end. What it left in its folder stays until this is disposed of. */
  async end (): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    await this.#driver.leave()
    await this.device.end()
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.end()
    await this.device[Symbol.asyncDispose]()
  }
}

class PolledNvmeDriver implements PolledDriver {
  readonly #initiator: PollingInitiator
  #queueId = 0

  private constructor (initiator: PollingInitiator) {
    this.#initiator = initiator
  }

  static async attach (device: DeviceProcess): Promise<PolledNvmeDriver> {
    const initiator = await PollingInitiator.attach(device.folder, { memoryBytes: MEMORY_BYTES })
    await initiator.enable()
    await initiator.driver.admin.setQueueCount(64)
    return new PolledNvmeDriver(initiator)
  }

  async load (transfers: PolledTransfers): Promise<PolledLoad> {
    return PolledLoad.create(this.#initiator, { queueId: ++this.#queueId, blockBytes: BLOCK_BYTES, ...transfers })
  }

  async leave (): Promise<void> {
    await this.#initiator.detach().catch(() => this.#initiator.drop())
  }
}
