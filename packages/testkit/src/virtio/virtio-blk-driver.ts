import type { Field } from '@pcikit/wire'
import { BlkConfig, VirtioBlkFeature } from './blk-layouts.js'
import type { VirtioBlkConfig } from './blk-layouts.js'
import type { FeatureChoice } from './feature-words.js'
import { VirtioFeature } from './layouts.js'
import type { AccessWidth } from './virtio-structures.js'
import { VirtioBlkQueue } from './virtio-blk-queue.js'
import type { BlkFraming } from './virtio-blk-queue.js'
import type { CreateQueueOptions, VirtioPciDriver } from './virtio-pci-driver.js'

/** How a block device is started. */
export interface StartBlkOptions {
  readonly features?: FeatureChoice
  /** How many queues, 1 unless given, or which. */
  readonly queues?: number | readonly CreateQueueOptions[]
  /** Entries of each queue that does not say otherwise. */
  readonly size?: number
  /** How requests are framed that do not say otherwise. */
  readonly framing?: BlkFraming
}

/** A driver for the virtio block device. [virtio] "Block Device". */
export class VirtioBlkDriver {
  readonly device: VirtioPciDriver
  #queues: readonly VirtioBlkQueue[] = []

  constructor (device: VirtioPciDriver) {
    this.device = device
  }

  /** The queues of the last {@link start}. */
  get queues (): readonly VirtioBlkQueue[] {
    return this.#queues
  }

  /** Whether the device offered a feature, and the driver took it. */
  has (feature: number): boolean {
    return this.device.features.has(feature)
  }

  /** From any state to queues that work. Indirect descriptors are used where the framing says so and only then. */
  async start (options: StartBlkOptions = {}): Promise<readonly VirtioBlkQueue[]> {
    const { framing = {}, ...rest } = options
    const created = await this.device.start(rest)
    const isIndirect = framing.indirect !== undefined && framing.indirect !== false
    if (isIndirect && !this.has(VirtioFeature.INDIRECT_DESC)) {
      throw new Error('Indirect descriptors were not negotiated.')
    }
    this.#queues = created.map(queue => new VirtioBlkQueue(queue, this.device.memory, framing))
    return this.#queues
  }

  /** How many queues the device has. */
  async queueCount (): Promise<number> {
    return this.has(VirtioBlkFeature.MQ) ? this.readField('numQueues') : 1
  }

  /** Reads all fields as they are at one time. Those of features that were not negotiated mean nothing. */
  async config (): Promise<VirtioBlkConfig> {
    const bytes = new Uint8Array(BlkConfig.byteLength)
    bytes.set(await this.device.configBytes(BlkConfig.byteLength))
    const view = new DataView(bytes.buffer)
    const fields = Object.entries(BlkConfig).flatMap(([name, field]) =>
      typeof field === 'number' ? [] : [[name, field.get(view, 0)] as const]
    )
    return Object.fromEntries(fields) as VirtioBlkConfig
  }

  /** Reads one field, in an access of its width. */
  async readField (name: keyof VirtioBlkConfig): Promise<number> {
    const { offset, size } = BlkConfig[name] as Field
    if (size < 8) return this.device.readConfig(offset, size as AccessWidth)
    return await this.device.readConfig(offset, 4) + await this.device.readConfig(offset + 4, 4) * 2 ** 32
  }

  /** Sets the cache mode: 0 writethrough, 1 writeback. */
  async setWriteback (mode: number): Promise<void> {
    await this.device.writeConfig(BlkConfig.writeback.offset, 1, mode)
  }
}
