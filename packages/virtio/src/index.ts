/**
 * Virtio devices on the PCI bus. The author of a device describes it, and takes buffers; this package does the rest:
 * the transport, feature negotiation, resets, interrupts, and virtqueues of both kinds.
 *
 * @example
 * ```ts
 * import { randomFillSync } from 'node:crypto'
 * import { createVirtioDevice, VirtioDeviceType } from '@pcikit/virtio'
 * import type { VirtioDevice, VirtioServices } from '@pcikit/virtio'
 *
 * export function createEntropySource (services: VirtioServices): VirtioDevice {
 *   const description = { deviceType: VirtioDeviceType.ENTROPY, classCode: 0x00_ff_00, queues: [{ entriesMax: 256 }] }
 *   return createVirtioDevice(description, services, {
 *     take: chain => {
 *       const bytes = randomFillSync(new Uint8Array(Math.min(chain.writable.byteLength, 4096)))
 *       const written = chain.writable.write(0, bytes)
 *       void Promise.resolve(written).then(() => { chain.complete(bytes.length) })
 *     }
 *   })
 * }
 * ```
 *
 * @packageDocumentation
 */
export { createVirtioDevice } from './virtio-device.js'
export { FEATURE_BITS, FeatureSet, VirtioFeature } from './feature.js'
export type { ChainPart, VirtqueueChain } from './chain.js'
export { VirtioDeviceType } from './device-model.js'
export type {
  VirtioConfig,
  VirtioDescription,
  VirtioDevice,
  VirtioModel,
  VirtioServices,
  VirtioSharedMemory,
  VirtqueueDescription,
  VirtqueueTimes
} from './device-model.js'
