import { silentRecorder } from '@pcikit/core'
import type { DmaAccess, Logger } from '@pcikit/core'
import { duplicateDescriptor } from '@pcikit/native'
import { FakeDmaManager, GuestMemory, PciDriver, VirtioPciDriver } from '@pcikit/testkit'
import type { DmaClient, RegionAccess, StructurePath, UsedChain, Virtqueue } from '@pcikit/testkit'
import { createVirtioDevice } from '../src/index.js'
import type { VirtioDescription, VirtioDevice, VirtioModel } from '../src/index.js'
import { CountingTrigger } from './transport/harness.js'

const MIB = 1024 * 1024

/** A device with its queues, and a guest that reaches it without a transport in between. */
export class DirectGuest {
  readonly device: VirtioDevice
  readonly driver: VirtioPciDriver
  readonly memory: GuestMemory
  readonly dma: FakeDmaManager
  readonly errors: string[]

  private constructor (parts: Pick<DirectGuest, 'device' | 'driver' | 'memory' | 'dma' | 'errors'>) {
    this.device = parts.device
    this.driver = parts.driver
    this.memory = parts.memory
    this.dma = parts.dma
    this.errors = parts.errors
  }

  static async attach (
    description: Partial<VirtioDescription>,
    model: VirtioModel,
    path: StructurePath = 'bar'
  ): Promise<DirectGuest> {
    const dma = new FakeDmaManager(50)
    const memory = new GuestMemory()
    memory.add({ iova: MIB, byteLength: 4 * MIB })
    await memory.map(clientOf(dma))
    const errors: string[] = []
    const device = createVirtioDevice(
      { deviceType: 4, classCode: 0x00_ff_00, queues: [{ entriesMax: 64 }], graceMs: 60_000, ...description },
      {
        name: 'test',
        dma,
        busMaster: { setBusMaster: enabled => dma.setBusMaster(enabled) },
        recorder: silentRecorder,
        logger: loggerTo(errors),
        sharedMemory: {
          create: (_name, byteLength) => ({ descriptor: -1, bytes: new Uint8Array(byteLength), close: () => undefined })
        }
      },
      model
    )
    const access = accessTo(device)
    const pci = new PciDriver({ ...access, setIrqs: () => Promise.reject(new Error('There are no eventfds here.')) })
    await pci.enable()
    const driver = await VirtioPciDriver.attach({ access, pci, memory, path })
    return new DirectGuest({ device, driver, memory, dma, errors })
  }

  /** Sends a request and returns what the device wrote. */
  async ask (queue: Virtqueue, text: string, room = 64): Promise<string> {
    const request = this.place(text)
    const answer = this.memory.allocate(room)
    const { written }: UsedChain = await queue.submit({
      readable: [{ iova: request, byteLength: text.length }],
      writable: [{ iova: answer, byteLength: room }]
    })
    return new TextDecoder().decode(this.memory.bytesAt(answer, written))
  }

  place (text: string): number {
    const iova = this.memory.allocate(Math.max(text.length, 1))
    this.memory.store(iova, new TextEncoder().encode(text))
    return iova
  }

  /** Assigns triggers to the vectors from 0 on. */
  countInterrupts (count: number): CountingTrigger[] {
    const triggers = Array.from({ length: count }, () => new CountingTrigger())
    this.device.function.interrupts.assign(2, 0, triggers)
    return triggers
  }

  async close (): Promise<void> {
    this.driver.abandon('The test is over.')
    await this.device.close()
    await this.dma.close()
    this.memory.close()
  }
}

/** A device that answers what it is asked in upper case. */
export const shout: VirtioModel = {
  take: chain => {
    const bytes = new Uint8Array(chain.readable.byteLength)
    void chain.readable.read(0, bytes)
    const answer = new TextEncoder().encode(new TextDecoder().decode(bytes).toUpperCase())
    void chain.writable.write(0, answer)
    chain.complete(answer.length)
  }
}

function clientOf (dma: FakeDmaManager): DmaClient {
  return {
    mapDma: async ({ iova, byteLength, flags, descriptor, fileOffset = 0 }) =>
      dma.map({
        iova: Number(iova),
        byteLength: Number(byteLength),
        access: flags as DmaAccess,
        fileOffset: Number(fileOffset),
        ...(descriptor !== undefined && { descriptor: duplicateDescriptor(descriptor) })
      }),
    unmapDma: (iova, byteLength) => dma.unmap(iova, byteLength)
  }
}

function accessTo (device: VirtioDevice): RegionAccess {
  return {
    readRegion: async (region, offset, count) => {
      const bytes = new Uint8Array(count)
      await device.function.readRegion(region as never, offset, new DataView(bytes.buffer), 0, count)
      return bytes
    },
    writeRegion: async (region, offset, data) => {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
      await device.function.writeRegion(region as never, offset, view, 0, data.length)
    }
  }
}

function loggerTo (lines: string[]): Logger {
  const keep = (_details: unknown, message: string): void => void lines.push(message)
  const drop = (): void => undefined
  return { trace: drop, debug: drop, info: drop, warn: keep, error: keep, fatal: keep, child: () => loggerTo(lines) }
}
