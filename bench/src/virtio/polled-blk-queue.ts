import type { GuestMemory, PolledQueue, VirtioPciDriver } from '@pcikit/testkit'
import type { PolledTransfers } from '../polled/polled-device.js'
import { blkRingBytes } from './blk-ring.js'
import { SplitBlkRing } from './split-blk-ring.js'

const SECTOR_BYTES = 512
const RING_ENTRIES = 256
const PAGE_BYTES = 4096

/** The queue of a virtio-blk device that polls: nobody ever notifies it. */
export class PolledBlkQueue implements PolledQueue {
  readonly depth: number
  readonly transferCount: number
  readonly #driver: VirtioPciDriver
  readonly #memory: GuestMemory
  readonly #transferBytes: number
  readonly #ring: SplitBlkRing
  /** Where ring and buffers are, for the device. */
  readonly #iovas: readonly [ring: number, data: number]

  private constructor (driver: VirtioPciDriver, memory: GuestMemory, transfers: PolledTransfers) {
    const { queueDepth, transferBytes, diskBytes } = transfers
    const size = { size: RING_ENTRIES, requestCount: queueDepth }
    const byteLength = blkRingBytes(size)
    const iova = memory.allocate(byteLength)
    const { file: { view, words }, position } = memory.locate(iova, byteLength)
    this.depth = queueDepth
    this.transferCount = Math.floor(diskBytes / transferBytes)
    this.#driver = driver
    this.#memory = memory
    this.#transferBytes = transferBytes
    this.#iovas = [iova, memory.allocate(queueDepth * Math.max(transferBytes, PAGE_BYTES))]
    this.#ring = new SplitBlkRing({ view, words, at: position, iova, ...size, transferBytes, isIndirect: true })
  }

  /** Enables queue 0, before the driver is ready. */
  static async create (
    driver: VirtioPciDriver,
    memory: GuestMemory,
    transfers: PolledTransfers
  ): Promise<PolledBlkQueue> {
    const queue = new PolledBlkQueue(driver, memory, transfers)
    const { size, descriptorArea, driverArea, deviceArea } = queue.#ring.place
    await driver.createQueue({
      index: 0,
      size,
      place: { descriptors: descriptorArea, driver: driverArea, device: deviceArea }
    })
    return queue
  }

  get failureCount (): number {
    return this.#ring.failureCount
  }

  add (command: number, isRead: boolean, transfer: number): void {
    const dataIova = this.#iovas[1] + command * this.#transferBytes
    this.#ring.add(command, isRead, transfer * (this.#transferBytes / SECTOR_BYTES), dataIova)
  }

  submit (): void {
    this.#ring.publish()
  }

  take (): number {
    return this.#ring.take()
  }

  taken (): void {
    // What is made available again tells the device.
  }

  fillBuffers (value: number): void {
    this.#memory.fill(this.#iovas[1], this.depth * this.#transferBytes, value)
  }

  async close (): Promise<void> {
    await this.#driver.reset()
    for (const iova of this.#iovas) this.#memory.free(iova)
  }
}
