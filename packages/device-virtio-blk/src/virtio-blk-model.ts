import type { FeatureSet, VirtioModel, VirtqueueChain } from '@pcikit/virtio'
import { BlkFeature } from './protocol.js'
import { RequestProcessor } from './request-processor.js'
import type { ProcessorParts } from './request-processor.js'
import { ZonedModel } from './zones/zone-constants.js'

/** The block device as its virtio transport drives it. */
export class VirtioBlkModel implements VirtioModel {
  readonly #parts: ProcessorParts
  readonly #processor: RequestProcessor

  constructor (parts: ProcessorParts) {
    this.#parts = parts
    this.#processor = new RequestProcessor(parts)
  }

  take (chain: VirtqueueChain): void {
    this.#processor.take(chain)
  }

  negotiated (features: FeatureSet): string | undefined {
    const { zones, config, features: accepted } = this.#parts
    // "the device with the VIRTIO_BLK_Z_HM zone model MUST fail to set the FEATURES_OK device status bit"
    if (zones?.characteristics.model === ZonedModel.HOST_MANAGED && !features.has(BlkFeature.ZONED)) {
      return 'the driver does not know of zones, and the disk has zones that must be written one behind the other'
    }
    for (let select = 0; select < 4; select++) accepted.setWord(select, features.word(select))
    config.negotiated(features)
    return undefined
  }

  reset (): void {
    this.#parts.features.clear()
    this.#parts.config.reset()
    this.#processor.reset()
    this.#parts.zones?.deviceReset()
  }

  poll (mayWait: boolean): boolean {
    return this.#parts.disk.backend.poll?.(mayWait) === true
  }
}
