import { PolledLoad, PollingInitiator } from '@pcikit/testkit'
import type { PolledLoadOptions } from '@pcikit/testkit'
import { DeviceProcess } from '../processes/device-process.js'
import type { DeviceProcessOptions } from '../processes/device-process.js'

const MIB = 1024 * 1024
const BLOCK_BYTES = 512
const DISK_BYTES = 256 * MIB
/** Room for the buffers of all loads. */
const MEMORY_BYTES = 128 * MIB

/** What a polled device is made of. */
export interface PolledDeviceOptions extends Partial<DeviceProcessOptions> {
  /** The device is in this folder already, and is not ended here. */
  readonly device?: DeviceProcess
  readonly backend?: string
}

/** A device in a process of its own that polls its doorbells, and a driver here that polls its completions. */
export class PolledDevice implements AsyncDisposable {
  readonly device: DeviceProcess
  readonly #initiator: PollingInitiator
  #queueId = 0
  #isEnded = false

  private constructor (device: DeviceProcess, initiator: PollingInitiator) {
    this.device = device
    this.#initiator = initiator
  }

  static async start (options: PolledDeviceOptions = {}): Promise<PolledDevice> {
    const backend = options.backend ?? `memory:${DISK_BYTES}`
    const device = options.device ??
      await DeviceProcess.run('nvme', ['--backend', backend, '--doorbells', 'mmap'], options)
    const initiator = await PollingInitiator.attach(device.folder, { memoryBytes: MEMORY_BYTES })
    await initiator.enable()
    await initiator.driver.admin.setQueueCount(64)
    return new PolledDevice(device, initiator)
  }

  /** Adds a queue pair with what keeps it full. */
  async load (options: Pick<PolledLoadOptions, 'queueDepth' | 'transferBytes'>): Promise<PolledLoad> {
    const place = { queueId: ++this.#queueId, blockBytes: BLOCK_BYTES, diskBytes: DISK_BYTES }
    return PolledLoad.create(this.#initiator, { ...place, ...options })
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
    await this.#initiator.detach().catch(() => this.#initiator.drop())
    await this.device.end()
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.end()
    await this.device[Symbol.asyncDispose]()
  }
}
