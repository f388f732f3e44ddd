import { createPciFunction, msixBar, pciExpress, powerManagement } from '@pcikit/pci'
import type { BarDescription, BarHandler, DescribedPciFunction, PciDescription, PciServices } from '@pcikit/pci'
import type { VirtioSharedMemory } from '../device-model.js'
import { barBytes, MSIX_BAR, SHARED_MEMORY_BAR, STRUCTURES_BAR, structuresBarBytes } from './bar-layout.js'
import { ConfigWindow } from './config-window.js'
import type { DevicePlan } from './device-plan.js'
import type { NotificationPage } from './notification-page.js'
import { virtioCapabilities } from './pci-capabilities.js'

/** [virtio] "PCI Device Discovery". */
const VENDOR_ID = 0x1af4
const DEVICE_ID_BASE = 0x1040
const REVISION_ID = 1
/** What QEMU's devices have. Windows drivers bind to it, and it is above 40h, so that no legacy driver does. */
const SUBSYSTEM_ID = 0x1100

/** Makes the PCI function of a device. Throws PCIKIT_PCI_LAYOUT_INVALID for what cannot be. */
export function createVirtioFunction (
  plan: DevicePlan,
  structures: BarHandler,
  page: NotificationPage | undefined,
  services: PciServices
): DescribedPciFunction {
  const pci = createPciFunction(describe(plan, structures, page), services)
  new ConfigWindow(
    pci,
    new Set(plan.sharedMemory === undefined ? [STRUCTURES_BAR] : [STRUCTURES_BAR, SHARED_MEMORY_BAR])
  )
  return pci
}

function describe (plan: DevicePlan, handler: BarHandler, page: NotificationPage | undefined): PciDescription {
  const { description, vectors, sharedMemory } = plan
  const msix = vectors === 0 ? undefined : msixBar(MSIX_BAR, vectors)
  return {
    identity: {
      vendorId: VENDOR_ID,
      deviceId: DEVICE_ID_BASE + description.deviceType,
      revisionId: REVISION_ID,
      classCode: description.classCode,
      subsystemVendorId: VENDOR_ID,
      subsystemId: SUBSYSTEM_ID
    },
    bars: [
      ...msix === undefined ? [] : [msix.bar],
      ...sharedMemory === undefined ? [] : [sharedMemoryBar(sharedMemory)],
      {
        index: STRUCTURES_BAR,
        kind: 'memory64',
        byteLength: structuresBarBytes(description.queues.length),
        handler,
        ...page === undefined ? {} : { memory: page.mappable }
      }
    ],
    interrupts: { intxPin: 1, ...msix === undefined ? {} : { msix: msix.msix } },
    capabilities: [powerManagement(), pciExpress(), ...virtioCapabilities(plan)]
  }
}

/** A BAR has a power of two of bytes. What is beyond the region cannot be mapped, and reads as zero. */
function sharedMemoryBar ({ byteLength, memory, bytes }: VirtioSharedMemory): BarDescription {
  const size = barBytes(byteLength)
  const areas = memory.areas.length > 0 || byteLength === size ? memory.areas : [{ offset: 0, byteLength }]
  return {
    index: SHARED_MEMORY_BAR,
    kind: 'memory64',
    prefetchable: true,
    byteLength: size,
    memory: { ...memory, areas },
    ...bytes === undefined ? {} : { handler: bytesHandler(bytes) }
  }
}

function bytesHandler (bytes: Uint8Array): BarHandler {
  return {
    read: (offset, size) => {
      let value = 0
      for (let index = 0; index < size; index++) value |= (bytes[offset + index] ?? 0) << (index * 8)
      return value >>> 0
    },
    // Writing beyond its end leaves an array as it is.
    write: (offset, size, value) => {
      for (let index = 0; index < size; index++) bytes[offset + index] = value >>> (index * 8)
    }
  }
}
