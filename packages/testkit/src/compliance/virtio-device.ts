import { describe } from 'vitest'
import type { FeatureChoice } from '../virtio/feature-words.js'
import type { VirtioSample } from '../virtio/virtio-sample.js'
import { describeInitialization } from './virtio-device/initialization.js'
import { describeInterrupts } from './virtio-device/interrupts.js'
import { describeMalformedChains } from './virtio-device/malformed.js'
import { describeQueueMemory } from './virtio-device/memory.js'
import { describeQueues } from './virtio-device/queues.js'
import { describeResets } from './virtio-device/resets.js'
import { describeStructures } from './virtio-device/structures.js'

/** A device that is served, in the state of power-on. */
export interface VirtioDeviceUnderTest {
  /** The vfio-user socket. */
  readonly path: string
  /** Changes something in the device configuration. Without it the suite skips what depends on that. */
  changeConfig?(): Promise<void> | void
  close(): Promise<void>
}

/** How the suite obtains the device under test, and what to ask of it. */
export interface VirtioDeviceFixture {
  create(): Promise<VirtioDeviceUnderTest>
  /** A request that the device answers by itself, at once. */
  sample(): VirtioSample
  /** The queue that takes it, 0 unless given. */
  readonly queue?: number
  /** What drivers accept; all that is offered unless given. */
  readonly features?: FeatureChoice
}

/**
 * Checks what [virtio] "Virtio Over PCI Bus", "Basic Facilities of a Virtio Device" and a guest's memory that comes and
 * goes ask of every virtio device, with split queues and with packed ones. The device has to be served with a grace of
 * minutes for queues whose memory is away, and with the fault policy `fault`.
 */
export function describeVirtioDevice (name: string, fixture: VirtioDeviceFixture): void {
  describe(`${name} as virtio device`, () => {
    describeStructures(fixture)
    describeInitialization(fixture)
    describeInterrupts(fixture)
    for (const format of ['split', 'packed'] as const) {
      describe(`with ${format} queues`, () => {
        describeQueues(fixture, format)
        describeResets(fixture, format)
        describeQueueMemory(fixture, format)
        describeMalformedChains(fixture, format)
      })
    }
  })
}
