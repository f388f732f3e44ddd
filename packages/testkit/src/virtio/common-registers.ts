import { setTimeout as delay } from 'node:timers/promises'
import type { Field } from '@pcikit/wire'
import { bitsOfWord, FEATURE_BITS, wordOfBits } from './feature-words.js'
import { CommonCfg, NO_VECTOR, VirtioStatus } from './layouts.js'
import type { QueuePlace } from './driver-ring.js'
import type { AccessWidth, StructureAccess, VirtioStructure } from './virtio-structures.js'

/** What the driver writes to set a queue up. */
export interface QueueRegisters {
  readonly size: number
  readonly vector: number
  readonly place: QueuePlace
}

/** The common configuration structure, field by field. [virtio] "Common configuration structure layout". */
export class CommonRegisters {
  readonly structure: VirtioStructure
  readonly #access: StructureAccess
  /** A selector and what it selects are accessed together. */
  #last: Promise<unknown> = Promise.resolve()

  constructor (access: StructureAccess, structure: VirtioStructure) {
    this.#access = access
    this.structure = structure
  }

  /** Reads a field, one of 64 bits as two words. */
  async read (field: Field): Promise<number> {
    const { offset, size } = field
    if (size < 8) return this.#access.read(this.structure, offset, size as AccessWidth)
    const low = await this.#access.read(this.structure, offset, 4)
    return low + await this.#access.read(this.structure, offset + 4, 4) * 2 ** 32
  }

  /** Writes a field, one of 64 bits as two words. */
  async write (field: Field, value: number): Promise<void> {
    const { offset, size } = field
    if (size < 8) return this.#access.write(this.structure, offset, size as AccessWidth, value)
    await this.#access.write(this.structure, offset, 4, value >>> 0)
    await this.#access.write(this.structure, offset + 4, 4, Math.floor(value / 2 ** 32))
  }

  async status (): Promise<number> {
    return this.read(CommonCfg.deviceStatus)
  }

  async setStatus (status: number): Promise<void> {
    await this.write(CommonCfg.deviceStatus, status)
  }

  /** Sets bits of the status, as a driver does step by step. */
  async addStatus (bits: number): Promise<void> {
    await this.setStatus(await this.status() | bits)
  }

  /** Whether the device says that it cannot go on. */
  async needsReset (): Promise<boolean> {
    return (await this.status() & VirtioStatus.DEVICE_NEEDS_RESET) !== 0
  }

  /** Waits for a status. Throws when it does not come. */
  async waitStatus (what: string, isTrue: (status: number) => boolean, timeoutMs = 10_000): Promise<void> {
    const end = performance.now() + timeoutMs
    while (!isTrue(await this.status())) {
      if (performance.now() > end) throw new Error(`The device did not come to ${what} within ${timeoutMs} ms.`)
      await delay(1)
    }
  }

  /** Resets the device and waits until it has. */
  async reset (): Promise<void> {
    await this.setStatus(0)
    await this.waitStatus('a status of 0', status => status === 0)
  }

  async offeredFeatures (): Promise<Set<number>> {
    const { deviceFeatureSelect, deviceFeature } = CommonCfg
    return this.#together(() => this.#readFeatures(deviceFeatureSelect, deviceFeature))
  }

  async acceptedFeatures (): Promise<Set<number>> {
    const { driverFeatureSelect, driverFeature } = CommonCfg
    return this.#together(() => this.#readFeatures(driverFeatureSelect, driverFeature))
  }

  async acceptFeatures (features: ReadonlySet<number>): Promise<void> {
    await this.#together(async () => {
      for (let select = 0; select < FEATURE_BITS / 32; select++) {
        await this.write(CommonCfg.driverFeatureSelect, select)
        await this.write(CommonCfg.driverFeature, wordOfBits(features, select))
      }
    })
  }

  /** Reads a field of a queue. */
  async readQueue (index: number, field: Field): Promise<number> {
    return this.#together(async () => {
      await this.write(CommonCfg.queueSelect, index)
      return this.read(field)
    })
  }

  /** Writes a field of a queue. */
  async writeQueue (index: number, field: Field, value: number): Promise<void> {
    await this.#together(async () => {
      await this.write(CommonCfg.queueSelect, index)
      await this.write(field, value)
    })
  }

  /** Sets a queue up and enables it. Throws where the device has no such vector. */
  async enableQueue (index: number, { size, vector, place }: QueueRegisters): Promise<void> {
    await this.#together(async () => {
      await this.write(CommonCfg.queueSelect, index)
      await this.write(CommonCfg.queueSize, size)
      await this.write(CommonCfg.queueMsixVector, vector)
      if (await this.read(CommonCfg.queueMsixVector) !== vector) throw new Error(`There is no vector ${vector}.`)
      await this.write(CommonCfg.queueDesc, place.descriptors)
      await this.write(CommonCfg.queueDriver, place.driver)
      await this.write(CommonCfg.queueDevice, place.device)
      await this.write(CommonCfg.queueEnable, 1)
    })
  }

  /** Resets a queue and waits until that is done. [virtio] "Virtqueue Reset". */
  async resetQueue (index: number, timeoutMs = 10_000): Promise<void> {
    const end = performance.now() + timeoutMs
    await this.writeQueue(index, CommonCfg.queueReset, 1)
    while (await this.readQueue(index, CommonCfg.queueReset) !== 0) {
      if (performance.now() > end) throw new Error(`Queue ${index} was not reset within ${timeoutMs} ms.`)
      await delay(1)
    }
  }

  /** Chooses the vector of configuration changes. Throws where the device does not have it. */
  async setConfigVector (vector: number = NO_VECTOR): Promise<void> {
    await this.write(CommonCfg.configMsixVector, vector)
    if (await this.read(CommonCfg.configMsixVector) !== vector) throw new Error(`There is no vector ${vector}.`)
  }

  async #readFeatures (select: Field, word: Field): Promise<Set<number>> {
    const features = new Set<number>()
    for (let index = 0; index < FEATURE_BITS / 32; index++) {
      await this.write(select, index)
      for (const bit of bitsOfWord(await this.read(word), index)) features.add(bit)
    }
    return features
  }

  #together<T> (action: () => Promise<T>): Promise<T> {
    const done = this.#last.then(action)
    this.#last = done.catch(() => undefined)
    return done
  }
}
