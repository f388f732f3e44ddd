import { DmaAccess, IrqIndex, silentLogger, silentRecorder } from '@pcikit/core'
import type { RegionIndex } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import type { RegionAccess } from '@pcikit/testkit'
import { optionsSchema, YourDevice } from '../src/index.js'
import { Driver } from './driver.js'

/** Where the memory of the guest is, and how much there is of it. */
export const MEMORY = { iova: 0x10_0000, byteLength: 0x10_0000 } as const

/** The device with fakes around it, in one process: no socket, no guest. */
export class FakeMachine implements RegionAccess {
  readonly dma = new FakeDmaManager()
  readonly device: YourDevice
  readonly driver = new Driver(this)
  /** The device reaches it by messages, as with a client that does not share its memory. */
  readonly memory = new Uint8Array(MEMORY.byteLength)
  /** Resolves with the first interrupt at the pin. */
  readonly interrupted: Promise<void>

  constructor (options: Record<string, unknown> = {}) {
    this.dma.map({ ...MEMORY, access: DmaAccess.READ_WRITE, fileOffset: 0 })
    this.dma.setPort({
      transferBytesMax: 4096,
      read: async (iova, target) => target.set(this.bytesAt(iova, target.length)),
      write: async (iova, source) => this.bytesAt(iova, source.length).set(source)
    })
    this.device = new YourDevice(optionsSchema.parse(options), {
      dma: this.dma,
      busMaster: this.dma,
      recorder: silentRecorder,
      logger: silentLogger
    })
    this.interrupted = new Promise(resolve => {
      const trigger = { signal: resolve, close: () => undefined }
      this.device.function.interrupts.assign(IrqIndex.INTX, 0, [trigger])
    })
  }

  bytesAt (iova: number, length: number): Uint8Array {
    return this.memory.subarray(iova - MEMORY.iova, iova - MEMORY.iova + length)
  }

  async readRegion (region: number, offset: number, count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count)
    await this.device.function.readRegion(region as RegionIndex, offset, new DataView(bytes.buffer), 0, count)
    return bytes
  }

  async writeRegion (region: number, offset: number, data: Uint8Array): Promise<void> {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
    await this.device.function.writeRegion(region as RegionIndex, offset, view, 0, data.length)
  }
}
