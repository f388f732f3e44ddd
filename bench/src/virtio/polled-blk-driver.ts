import { PolledLoad, VirtioFeature, VirtioGuest } from '@pcikit/testkit'
import type { PolledDriver, PolledTransfers } from '../polled/polled-device.js'
import type { DeviceProcess } from '../processes/device-process.js'
import { PolledBlkQueue } from './polled-blk-queue.js'

/** A region has an address that is no small integer, as those of a guest with some memory. */
const MEMORY_IOVA = 2 ** 32
/** What a driver that polls has a use for. */
const FEATURES = [VirtioFeature.INDIRECT_DESC, VirtioFeature.ACCESS_PLATFORM]

/** A driver of virtio-blk that polls. The device has one queue at a time, and begins anew for each. */
export class PolledBlkDriver implements PolledDriver {
  readonly #guest: VirtioGuest

  private constructor (guest: VirtioGuest) {
    this.#guest = guest
  }

  static async attach (device: DeviceProcess, memoryBytes: number): Promise<PolledBlkDriver> {
    const guest = await VirtioGuest.attach(device.socket, {
      doorbells: 'mmap',
      layOut: memory => void memory.add({ iova: MEMORY_IOVA, byteLength: memoryBytes })
    })
    return new PolledBlkDriver(guest)
  }

  async load (transfers: PolledTransfers): Promise<PolledLoad> {
    const { driver, memory } = this.#guest
    await driver.negotiate({ only: FEATURES })
    const queue = await PolledBlkQueue.create(driver, memory, transfers)
    await driver.ready()
    return new PolledLoad(queue)
  }

  async leave (): Promise<void> {
    await this.#guest.driver.reset().catch(() => undefined)
    this.#guest.leave()
  }
}
