import { FaultPolicy, PcikitError } from '@pcikit/core'
import type { VirtioDescription, VirtioSharedMemory, VirtqueueTimes } from '../device-model.js'
import { FEATURE_BITS, FeatureSet, VirtioFeature } from '../feature.js'
import { DEVICE_CONFIG_BYTES_MAX } from './bar-layout.js'

/** [virtio] "PCI Device Discovery": device IDs are 1040h to 107Fh, 1040h and the device type. */
const DEVICE_TYPE_MAX = 0x3f
/** num_queues has 16 bits. */
const QUEUES_MAX = 0xffff
/** [virtio] "Virtqueues". */
const QUEUE_ENTRIES_MAX = 32768
/** [PCIe] "MSI-X Capability and Table Structure". */
const VECTORS_MAX = 2048
const PAGE_BYTES = 4096
const GRACE_MS = 2000

/**
 * Feature bits of queues and transport that every device here has. ORDER_PLATFORM is not among them: the device is
 * software on the same processors as its driver, for which the barriers between processors are enough.
 * [virtio] "Reserved Feature Bits".
 */
const transportFeatures = [
  VirtioFeature.VERSION_1,
  VirtioFeature.INDIRECT_DESC,
  VirtioFeature.EVENT_IDX,
  VirtioFeature.ACCESS_PLATFORM,
  VirtioFeature.RING_PACKED,
  VirtioFeature.IN_ORDER,
  VirtioFeature.NOTIFICATION_DATA,
  VirtioFeature.RING_RESET
] as const

const times: VirtqueueTimes = {
  doorbells: 'trap',
  watchUs: 1000,
  pollSocketUs: 500,
  pollIdleUs: 10_000,
  pollBackOffMs: 8
}

/** A description that was checked, with nothing left open. */
export interface DevicePlan {
  readonly description: VirtioDescription
  readonly offered: FeatureSet
  /** MSI-X vectors; 0 where there is INTx alone. */
  readonly vectors: number
  readonly sharedMemory: VirtioSharedMemory | undefined
  readonly times: VirtqueueTimes
  readonly moderatesInterrupts: boolean
  readonly faultPolicy: FaultPolicy
  readonly graceMs: number
}

/** Checks what an author declared. Throws PCIKIT_VIRTIO_DESCRIPTION_INVALID. */
export function planDevice (description: VirtioDescription): DevicePlan {
  const { deviceType, queues, config, sharedMemory = [] } = description
  if (!isWithin(deviceType, 1, DEVICE_TYPE_MAX)) {
    refuse(`There is no device type ${deviceType}.`, `Use a number from 1 to ${DEVICE_TYPE_MAX}.`)
  }
  if (queues.length > QUEUES_MAX) {
    refuse(`A device cannot have ${queues.length} queues.`, `Declare ${QUEUES_MAX} or fewer.`)
  }
  for (const [index, { entriesMax }] of queues.entries()) assertEntries(index, entriesMax)
  if (config !== undefined && !isWithin(config.view.byteLength, 1, DEVICE_CONFIG_BYTES_MAX)) {
    refuse(
      `The device-specific configuration has ${config.view.byteLength} bytes.`,
      `Use 1 to ${DEVICE_CONFIG_BYTES_MAX}, or leave \`config\` out.`
    )
  }
  assertSharedMemory(sharedMemory)
  return {
    description,
    offered: offeredFeatures(description),
    vectors: description.msixVectors ?? Math.min(queues.length + 1, VECTORS_MAX),
    sharedMemory: sharedMemory[0],
    times: { ...times, ...description.times },
    moderatesInterrupts: description.interruptModeration === 'adaptive',
    faultPolicy: description.faultPolicy ?? FaultPolicy.FAULT,
    graceMs: description.graceMs ?? GRACE_MS
  }
}

function offeredFeatures ({ features = [], withoutFeatures = [] }: VirtioDescription): FeatureSet {
  const without = new Set(withoutFeatures)
  // [virtio] "Reserved Feature Bits": "A device MUST offer VIRTIO_F_VERSION_1".
  if (without.has(VirtioFeature.VERSION_1)) {
    refuse('VERSION_1 is among `withoutFeatures`.', 'Leave it out: drivers would take the device for a legacy one.')
  }
  const offered = new FeatureSet(transportFeatures.filter(bit => !without.has(bit)))
  for (const bit of features) {
    const isOfDeviceType = isWithin(bit, 0, 23) || isWithin(bit, 50, FEATURE_BITS - 1)
    if (!isOfDeviceType) {
      refuse(
        `Feature bit ${bit} does not belong to device types.`,
        'Declare bits 0 to 23 and 50 to 127; those of queues and transport are added by themselves.'
      )
    }
    offered.add(bit)
  }
  return offered
}

function assertEntries (index: number, entriesMax: number): void {
  if (isWithin(entriesMax, 1, QUEUE_ENTRIES_MAX) && isPowerOfTwo(entriesMax)) return
  refuse(`Queue ${index} has ${entriesMax} entries.`, `Make it a power of two from 1 to ${QUEUE_ENTRIES_MAX}.`)
}

function assertSharedMemory (regions: readonly VirtioSharedMemory[]): void {
  if (regions.length > 1) {
    refuse(
      `There are ${regions.length} shared memory regions, and configuration space has room for the capability of one.`,
      'Put what is shared into one region.'
    )
  }
  for (const { id, byteLength } of regions) {
    if (!isWithin(id, 0, 0xff)) refuse(`A shared memory region has the ID ${id}.`, 'Use a number from 0 to 255.')
    if (!isWithin(byteLength, PAGE_BYTES, Number.MAX_SAFE_INTEGER) || byteLength % PAGE_BYTES !== 0) {
      refuse(`Shared memory region ${id} has ${byteLength} bytes.`, `Make it a multiple of ${PAGE_BYTES}.`)
    }
  }
}

/** Whether a whole number is a power of two. */
export function isPowerOfTwo (value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0
}

function isWithin (value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most
}

function refuse (what: string, remedy: string): never {
  throw new PcikitError('PCIKIT_VIRTIO_DESCRIPTION_INVALID', `${what} ${remedy}`)
}
