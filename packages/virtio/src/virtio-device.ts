import type { VirtioDescription, VirtioDevice, VirtioModel, VirtioServices } from './device-model.js'
import { createQueueEngine } from './queue/virtqueue-engine.js'
import { VirtioPciDevice } from './transport/pci-device.js'

/**
 * Makes a virtio device on the PCI bus of its description and of what it does. Throws PCIKIT_VIRTIO_DESCRIPTION_INVALID
 * for a description of what cannot be, and PCIKIT_SERVICE_NOT_FOUND where mapped doorbells lack their memory.
 */
export function createVirtioDevice (
  description: VirtioDescription,
  services: VirtioServices,
  model: VirtioModel
): VirtioDevice {
  return new VirtioPciDevice(description, services, model, createQueueEngine)
}
