import { afterEach, beforeEach, expect } from 'vitest'
import { DataBuffer } from '../../guest/data-buffer.js'
import type { FeatureChoice } from '../../virtio/feature-words.js'
import { VirtioFeature, VirtioStatus } from '../../virtio/layouts.js'
import { VirtioGuest } from '../../virtio/virtio-guest.js'
import type { VirtioGuestOptions } from '../../virtio/virtio-guest.js'
import type { CreateQueueOptions } from '../../virtio/virtio-pci-driver.js'
import { PlacedSample, sendSample } from '../../virtio/virtio-sample.js'
import type { SubmitChainOptions, Virtqueue } from '../../virtio/virtqueue.js'
import type { VirtioDeviceFixture, VirtioDeviceUnderTest } from '../virtio-device.js'

/** The two formats of a virtqueue. */
export type QueueFormat = 'split' | 'packed'

/** How {@link VirtioSession.start} goes about it. */
export interface SessionStart {
  readonly without?: readonly number[]
  readonly queue?: Omit<CreateQueueOptions, 'index'>
}

/** The device of a test that runs, and its guests. */
export class VirtioSession {
  readonly device: VirtioDeviceUnderTest
  readonly #fixture: VirtioDeviceFixture
  readonly #format: QueueFormat
  readonly #guests: VirtioGuest[] = []

  constructor (device: VirtioDeviceUnderTest, fixture: VirtioDeviceFixture, format: QueueFormat) {
    this.device = device
    this.#fixture = fixture
    this.#format = format
  }

  get isPacked (): boolean {
    return this.#format === 'packed'
  }

  /** The queue that takes samples. */
  get queueIndex (): number {
    return this.#fixture.queue ?? 0
  }

  /** Attaches a guest. The one before leaves: a device has one client at a time. */
  async attach (options: VirtioGuestOptions = {}): Promise<VirtioGuest> {
    for (const each of this.#guests) each.leave()
    const guest = await VirtioGuest.attach(this.device.path, options)
    this.#guests.push(guest)
    return guest
  }

  /** The features that the driver takes, in the format of this session. */
  choice (without: readonly number[] = []): FeatureChoice {
    const { features = {} } = this.#fixture
    const refused = this.isPacked ? [] : [VirtioFeature.RING_PACKED]
    return { ...features, without: [...(features.without ?? []), ...refused, ...without] }
  }

  /** Starts the device with all queues up to that of the samples, which it returns. */
  async start (guest: VirtioGuest, { without = [], queue = {} }: SessionStart = {}): Promise<Virtqueue> {
    const index = this.queueIndex
    const queues = Array.from({ length: index + 1 }, (_, each) => ({ ...(each === index ? queue : {}), index: each }))
    await guest.driver.start({ features: this.choice(without), queues })
    return guest.driver.queue(index)
  }

  /** Sends requests, so many at a time, and checks their answers. */
  async send (guest: VirtioGuest, count = 3, options: SubmitChainOptions = {}): Promise<void> {
    const queue = guest.driver.queue(this.queueIndex)
    await Promise.all(Array.from({ length: count }, () => this.sendOne(guest, queue, options)))
    expect(guest.driver.anomalies).toEqual([])
  }

  async sendOne (guest: VirtioGuest, queue: Virtqueue, options: SubmitChainOptions = {}): Promise<void> {
    await sendSample(queue, guest.memory, this.#fixture.sample(), options)
  }

  /** A request in memory that is not sent. */
  place (guest: VirtioGuest): PlacedSample {
    return new PlacedSample(guest.memory, this.#fixture.sample())
  }

  /** Brings the device back from wherever it is, and sees that it works. */
  async recover (guest: VirtioGuest): Promise<void> {
    await this.start(guest)
    await this.send(guest)
    expect(await guest.driver.common.needsReset()).toBe(false)
  }

  /** Waits until the device says that it cannot go on. */
  async waitBroken (guest: VirtioGuest): Promise<void> {
    await guest.driver.common.waitStatus(
      'DEVICE_NEEDS_RESET',
      status => (status & VirtioStatus.DEVICE_NEEDS_RESET) !== 0
    )
  }

  async close (): Promise<void> {
    for (const guest of this.#guests) guest.leave()
    await this.device.close()
  }
}

/** The session of the test that runs, made anew for each. Skips packed queues where there are none. */
export function useSession (
  fixture: VirtioDeviceFixture,
  format: QueueFormat = 'split'
): { readonly now: VirtioSession } {
  const current = { now: undefined as unknown as VirtioSession }
  beforeEach(async ({ skip }) => {
    current.now = new VirtioSession(await fixture.create(), fixture, format)
    if (format === 'split') return
    const probe = await VirtioGuest.attach(current.now.device.path)
    const offered = await probe.driver.common.offeredFeatures()
    probe.leave()
    skip(!offered.has(VirtioFeature.RING_PACKED), 'no packed queues')
  })
  afterEach(async () => {
    await current.now.close()
  })
  return current
}

/** A page that the device may read or write. */
export function createPage (guest: VirtioGuest): DataBuffer {
  return DataBuffer.contiguous(guest.memory, 4096)
}
