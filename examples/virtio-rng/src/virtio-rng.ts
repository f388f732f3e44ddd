import { randomBytes } from 'node:crypto'
import { DmaFault } from '@pcikit/core'
import type { Device, PciFunction } from '@pcikit/core'
import { createVirtioDevice, VirtioDeviceType } from '@pcikit/virtio'
import type { VirtioDevice, VirtioServices, VirtqueueChain } from '@pcikit/virtio'
import type { VirtioRngOptions } from './options.js'

/** [PCIe] "Class Code": a device that fits in no class. */
const CLASS_CODE = 0x00_ff_00
const QUEUE_ENTRIES = 64
/** A buffer may be as large as memory. No request is worth more of the event loop than this. */
const REQUEST_BYTES_MAX = 65536
/** How often a device that is limited gets something to give. */
const PERIOD_MS = 100

/** The entropy device: fills the buffers that its driver gives it with random bytes. [virtio] "Entropy Device". */
export class VirtioRng implements Device {
  readonly #virtio: VirtioDevice
  readonly #options: VirtioRngOptions
  /** Buffers that wait for their turn. They hold no memory of the guest: it may move meanwhile. */
  readonly #waiting: VirtqueueChain[] = []
  /** Bytes that may be given until the next period begins. */
  #allowance: number
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (options: VirtioRngOptions, services: VirtioServices) {
    this.#options = options
    this.#allowance = this.#periodBytes
    const queues = [{ entriesMax: QUEUE_ENTRIES }]
    const model = { take: (chain: VirtqueueChain) => this.#take(chain), reset: () => this.#forget() }
    const { graceMs } = options
    const description = { deviceType: VirtioDeviceType.ENTROPY, classCode: CLASS_CODE, queues, graceMs }
    this.#virtio = createVirtioDevice(description, services, model)
  }

  get function (): PciFunction {
    return this.#virtio.function
  }

  clientGone (): void {
    this.#virtio.clientGone()
  }

  async close (): Promise<void> {
    await this.#virtio.close()
    clearTimeout(this.#timer)
  }

  /** Infinity where nothing limits the device. */
  get #periodBytes (): number {
    const { bytesPerSecond = Infinity } = this.#options
    return Math.ceil(bytesPerSecond * PERIOD_MS / 1000)
  }

  #take (chain: VirtqueueChain): void {
    this.#waiting.push(chain)
    this.#serve()
  }

  #serve (): void {
    while (this.#allowance > 0) {
      const chain = this.#waiting.shift()
      if (chain === undefined) return
      const bytes = randomBytes(Math.min(chain.writable.byteLength, this.#allowance, REQUEST_BYTES_MAX))
      this.#allowance -= bytes.length
      void this.#give(chain, bytes)
    }
    this.#timer ??= setTimeout(() => this.#beginPeriod(), PERIOD_MS)
  }

  /** Where its memory cannot be reached the driver gets the buffer back with nothing in it. */
  async #give (chain: VirtqueueChain, bytes: Uint8Array): Promise<void> {
    const fault = await chain.writable.write(0, bytes)
    chain.complete(fault === DmaFault.NONE ? bytes.length : 0)
  }

  #beginPeriod (): void {
    this.#timer = undefined
    this.#allowance = this.#periodBytes
    this.#serve()
  }

  /** A reset: what waits is not live any more, and completed all the same. */
  #forget (): void {
    for (const chain of this.#waiting.splice(0)) chain.complete(0)
  }
}
